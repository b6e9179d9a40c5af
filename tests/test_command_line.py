"""The command line: exit status, messages, what is written where, and how fast it starts."""

# ruff: noqa: E501 - in the tables of cases a case is a line

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from books_for_tests import CONFIG, PAGE, TinyBook, cell, tiny_book
from tabbook.__main__ import main

COMMANDS = ("check", "notebook", "execute", "status", "html", "environments", "clean")
JAX_ONLY = "# x\n\n" + cell("'jax alone'", "jax")


@pytest.fixture
def book(tmp_path: Path) -> TinyBook:
    return tiny_book(tmp_path / "book", {"index": PAGE, "chapter/jax-only": JAX_ONLY, "chapter/prose": "# y\n\nz\n"})


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> TinyBook:
    """A book whose outputs are all in its store; tests only read it."""
    pages = {"index": PAGE, "chapter/jax-only": JAX_ONLY, "chapter/prose": "# y\n\nz\n"}
    book = tiny_book(tmp_path_factory.mktemp("executed") / "book", pages)
    book.tabbook("execute")
    return book


def run(book: TinyBook, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command in this process: exit status, standard output, standard error."""
    try:
        status = main([*arguments, "--project", str(book.root)])
    except SystemExit as end:  # argparse ends so
        status = int(end.code or 0)
    said = capsys.readouterr()
    return status, said.out, said.err


def test_a_sound_book_passes_check_in_silence(book: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(book, capsys, "check") == (0, "", "")


def test_check_tells_errors_with_status_1(book: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    """Findings go to standard output, one letter each, and pages can be chosen."""
    book.write("broken", "# x\n\n:numref:`sec_tinny`\n")
    status, out, err = run(book, capsys, "check")
    assert (status, err) == (1, "")
    assert out.startswith(
        "docs/broken.md:3: error: No :label:`sec_tinny` exists in the book. [unknown-label]\n    hint: "
    )
    assert "sec_tiny" in out
    assert run(book, capsys, "check", "index") == (0, "", "")
    assert run(book, capsys, "check", "broken", "index")[0] == 1


def test_check_with_warnings_alone_passes(book: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    book.edit("config.ini", "[project]", "[project]\ntitel = x")
    status, out, _ = run(book, capsys, "check")
    assert status == 0
    assert out.startswith("config.ini:2: warning: `titel` is not an option of [project]. [unknown-option]")


def test_check_writes_json(book: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    """`--format json` is a list of path, line, code, severity, message, hint; an empty one for a sound book."""
    assert json.loads(run(book, capsys, "check", "--format", "json")[1]) == []
    book.write("broken", "# x\n\n:numref:`sec_tinny`\n")
    status, out, _ = run(book, capsys, "check", "--format", "json")
    assert status == 1
    (finding,) = json.loads(out)
    assert list(finding) == ["path", "line", "code", "severity", "message", "hint"]
    assert [finding[name] for name in ("path", "line", "code", "severity")] == [
        "docs/broken.md",
        3,
        "unknown-label",
        "error",
    ]


WRONG_USE = {
    "an unknown command": (("bild",), "invalid choice: 'bild'"),
    "an unknown option": (("check", "--fromat", "json"), "unrecognized arguments"),
    "an unknown format": (("check", "--format", "yaml"), "invalid choice: 'yaml'"),
    "an unknown page": (("check", "no-such-page"), "no-such-page: no page of this book.\n    hint: "),
    "an unknown framework": (("execute", "--framework", "pytroch"), "pytroch: not a framework of this book.\n    hint: did you mean `pytorch`"),
    "a framework like no other": (("status", "--framework", "xyzxyz"), "hint: the tabs are pytorch, jax"),
    "a notebook without a place": (("notebook", "--framework", "jax"), "the following arguments are required: --output"),
    "a notebook of an unknown framework": (("notebook", "--framework", "jaxx", "--output", "out"), "jaxx: not a framework"),
    "an unknown framework for html": (("html", "--framework", "jaxx"), "jaxx: not a framework"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_USE)
def test_wrong_use_is_status_2_with_a_hint(book: TinyBook, capsys: pytest.CaptureFixture[str], case: str) -> None:
    arguments, message = WRONG_USE[case]
    status, out, err = run(book, capsys, *arguments)
    assert status == 2
    assert message in err
    assert out == ""
    assert "Traceback" not in err


def test_no_command_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 2
    assert "the following arguments are required: COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_when_there_is_no_book(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Without config.ini: status 2, what is missing, and what to do; nothing is written."""
    extra = ["--output", str(tmp_path / "out")] if command == "notebook" else []
    assert main([command, *extra, "--project", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"{tmp_path}: no config.ini here, so this is not a book.\n"
        "    hint: go to the book's folder, or name it with --project DIR\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_book_is_looked_for_here_by_default(
    book: TinyBook, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(book.root)
    assert main(["check"]) == 0
    assert main(["check", "docs/chapter"]) == 0
    assert capsys.readouterr().err == ""


def notebooks(folder: Path) -> dict[str, nbformat.NotebookNode]:
    return {
        path.relative_to(folder).as_posix(): nbformat.read(path, as_version=4)
        for path in sorted(folder.rglob("*.ipynb"))
    }


def test_notebook_writes_valid_notebooks_of_one_framework(
    book: TinyBook, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """OUT/chapter/y.ipynb for every page; none where the page has none for the framework."""
    assert run(book, capsys, "notebook", "--framework", "pytorch", "--output", str(tmp_path / "t"))[0] == 0
    assert run(book, capsys, "notebook", "--framework", "jax", "--output", str(tmp_path / "j"))[0] == 0
    torch, jax = notebooks(tmp_path / "t"), notebooks(tmp_path / "j")
    assert list(torch) == ["chapter/prose.ipynb", "index.ipynb"]
    assert list(jax) == ["chapter/jax-only.ipynb", "chapter/prose.ipynb", "index.ipynb"]
    for notebook in [*torch.values(), *jax.values()]:
        nbformat.validate(notebook)
    code = [[c.source for c in found["index.ipynb"].cells if c.cell_type == "code"] for found in (torch, jax)]
    assert code[0] == ["framework = 'torch'", "print('from', framework)", "6 * 7"]
    assert code[1] == ["framework = 'jax'", "print('from', framework)", "6 * 7"]
    assert "JAXだけの文である。" in (tmp_path / "j" / "index.ipynb").read_text(encoding="utf-8")
    assert "JAXだけの文である。" not in (tmp_path / "t" / "index.ipynb").read_text(encoding="utf-8")


def test_notebook_takes_the_first_framework_and_chosen_pages(
    book: TinyBook, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(book, capsys, "notebook", "index", "--output", str(tmp_path / "out"))[0] == 0
    assert list(notebooks(tmp_path / "out")) == ["index.ipynb"]
    assert "framework = 'torch'" in (tmp_path / "out" / "index.ipynb").read_text()


def test_notebook_puts_the_stored_outputs_in(
    executed: TinyBook, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With `--outputs` each cell has what the store has for it; without, none."""
    for flags, expected in (([], [[], [], []]), (["--outputs"], [[], ["from jax\n"], ["42"]])):
        arguments = ["notebook", "index", "--framework", "jax", "--output", str(tmp_path), *flags]
        assert run(executed, capsys, *arguments)[0] == 0
        notebook = notebooks(tmp_path)["index.ipynb"]
        nbformat.validate(notebook)
        cells = [c for c in notebook.cells if c.cell_type == "code"]
        shown = [[o.get("text") or o["data"]["text/plain"] for o in c.outputs] for c in cells]
        assert shown == expected


def test_notebooks_are_the_same_bytes_every_time(
    book: TinyBook, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        run(book, capsys, "notebook", "--output", str(tmp_path / name))
    a, b = ((tmp_path / name / "index.ipynb").read_bytes() for name in "ab")
    assert a == b


def test_notebook_of_a_broken_page_is_written_and_told(
    book: TinyBook, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One broken page neither stops the others nor goes unnoticed."""
    book.write("broken", "# x\n\n```{.python .input}\n1\n")
    status, _, err = run(book, capsys, "notebook", "--output", str(tmp_path / "out"))
    assert status == 1
    assert err.startswith("docs/broken.md:3: error:")
    assert "index.ipynb" in notebooks(tmp_path / "out")


def test_status_goes_from_never_to_fresh_to_stale(book: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    """Page by page and framework by framework, without running anything."""

    def states() -> dict[tuple[str, str], str]:
        status, out, _ = run(book, capsys, "status", "--format", "json")
        assert status == 0
        return {(row["page"], row["framework"]): row["state"] for row in json.loads(out)}

    every = [("index", "pytorch"), ("index", "jax"), ("chapter/jax-only", "jax")]
    assert states() == dict.fromkeys(every, "never")
    book.tabbook("execute", "index", "--framework", "jax")
    assert states() == dict.fromkeys(every, "never") | {("index", "jax"): "fresh"}
    book.edit("docs/index.md", "6 * 7", "6 * 8")
    assert states() == dict.fromkeys(every, "never") | {("index", "jax"): "stale"}


def test_execute_reuses_what_another_store_has(executed: TinyBook, tmp_path: Path) -> None:
    """`--store` names the store: nothing is executed with a full one, everything with an empty one."""
    shutil.copytree(executed.root / "_build" / "store", tmp_path / "full")
    done = executed.tabbook("execute", "--store", str(tmp_path / "full"))
    assert done.stderr == "executed 0 notebooks (0 cells), reused 3, failed 0\n"
    done = executed.tabbook("execute", "chapter", "--store", str(tmp_path / "empty"))
    assert "executed 1 notebook (1 cell), reused 0, failed 0; jax" in done.stderr


def test_frameworks_may_be_named_in_several_ways(executed: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    both = run(executed, capsys, "status")[1]
    for names in (["pytorch jax"], ["jax,pytorch"], ["jax", "--framework", "pytorch"]):
        assert run(executed, capsys, "status", "--framework", *names)[1] == both
    assert " pytorch " not in run(executed, capsys, "status", "--framework", "jax")[1]


def test_html_prints_the_path_of_the_first_page(executed: TinyBook) -> None:
    """The path alone goes to standard output, so that a script can use it; findings make status 1."""
    done = executed.tabbook("html")
    assert done.stdout == f"{executed.root}/_build/html/index.html\n"
    assert Path(done.stdout.strip()).is_file()


def test_html_builds_the_book_although_a_page_has_findings(tmp_path: Path) -> None:
    book = tiny_book(tmp_path / "book", {"index": PAGE, "broken": "# x\n\n:numref:`sec_tinny`\n"})
    done = book.tabbook("html", "--execute", "never", status=1)
    assert "docs/broken.md:3: error:" in done.stderr
    assert "Traceback" not in done.stderr
    assert "小さなページ" in book.html()


def test_clean_keeps_environments_and_store(book: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("html/index.html", "doctrees/x", "store/ab/x", "note.txt"):
        (book.root / "_build" / name).parent.mkdir(parents=True, exist_ok=True)
        (book.root / "_build" / name).write_text("")
    assert run(book, capsys, "clean") == (0, "", "")
    assert sorted(path.name for path in (book.root / "_build").iterdir()) == ["environments", "store"]
    assert run(book, capsys, "clean") == (0, "", "")


def test_a_reader_of_our_output_may_leave(executed: TinyBook) -> None:
    """`tabbook status | head -1` ends without a traceback."""
    command = f"{sys.executable} -m tabbook status --project {executed.root} | head -c 1"
    done = subprocess.run(["bash", "-c", command], check=True, capture_output=True, text=True, env=dict(os.environ))
    assert "Traceback" not in done.stderr


def test_the_module_is_the_command() -> None:
    """`python -m tabbook` and `tabbook` are the same program."""
    program = Path(sys.executable).with_name("tabbook")
    by_name = subprocess.run(
        [program, "--help"], check=True, capture_output=True, text=True, env={**os.environ, "COLUMNS": "80"}
    )
    by_module = subprocess.run(
        [sys.executable, "-m", "tabbook", "--help"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "80"},
    )
    assert by_name.stdout == by_module.stdout


def test_a_book_without_tabs_has_one_notebook_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without `tabs` code needs no mark, there is no framework to choose, and html shows the outputs the page gives."""
    page = '# x\n\n```{.python .input}\n1 + 1\n```\n\n```{.json .output n=1}\n[{"data": {"text/plain": "the two"}, "execution_count": 1, "metadata": {}, "output_type": "execute_result"}]\n```\n'
    book = tiny_book(
        tmp_path / "book", {"index": page}, CONFIG.split("[framework-pytorch]")[0].replace("tabs = pytorch, jax", "")
    )
    assert run(book, capsys, "notebook", "--output", str(tmp_path / "out"))[0] == 0
    assert [c.source for c in notebooks(tmp_path / "out")["index.ipynb"].cells if c.cell_type == "code"] == ["1 + 1"]
    assert run(book, capsys, "notebook", "--framework", "jax", "--output", str(tmp_path / "out"))[0] == 2
    assert "the two" in (book.tabbook("html") and book.html())
