"""A cell that fails, with real kernels: a letter to its author, and the others go on."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from books_for_tests import CONFIG, PAGE, TinyBook, cell, executed, left_in, outputs, processes_with, tiny_book

BRANCHES = """\
if tab.selected('pytorch'):
    boom
if tab.selected('jax'):
    a = 1
    if a:
        boom
"""

CALLS = """\
def f():
    try:
        1 / 0
    except ZeroDivisionError:
        raise KeyError('k')
"""

DIVISION = "raised ZeroDivisionError: division by zero"
UNKNOWN = "raised NameError: name 'boom' is not defined"

# The cells, the line that is at fault (the opening fence of the first cell is line 1), and why.
FAILING = {
    "a plain cell": (cell("a = 1\nb = a / 0\nc = 2", "jax"), 4, DIVISION),
    "a cell with blank lines after its mark": (cell("\n\na = 1\n1 / 0", "jax"), 6, DIVISION),
    "a mark as a comment at the end": ("```{.python .input}\na = 1\n1 / 0\n#@tab jax\n```\n", 3, DIVISION),
    "inside a branch, with the same line in another tab's": (cell(BRANCHES, "jax, mxnet"), 8, UNKNOWN),
    "a branch on one line": (cell("if tab.selected('mxnet'): x = 1\nif tab.selected('jax'): boom", "jax"), 4, UNKNOWN),
    "behind a branch": (cell("if tab.selected('mxnet'):\n    x = 1\n\nx = 2\nboom", "jax"), 7, UNKNOWN),
    "inside a function of the same cell": (cell("def f():\n    return boom\n\n\nf()", "jax"), 4, UNKNOWN),
    "inside a function of an earlier cell": (
        cell(CALLS, "jax") + cell("x = 1\n\nf()\n\ny = 2\nz = 3", "jax"),
        14,
        "raised KeyError: 'k'",
    ),
    "below a magic": (cell("%pwd\nboom", "jax"), 4, UNKNOWN),
    "a syntax error": (cell("a = 1\nb = = 2", "jax"), 4, "raised SyntaxError: invalid syntax"),
    "an indentation error": (
        cell("if True:\n    a = 1\n  b = 2", "jax"),
        5,
        "raised IndentationError: unindent does not match any outer indentation level",
    ),
    "a kernel that ends": (cell("a = 1\nimport os; os._exit(3)", "jax"), 3, "ended its kernel (Kernel died)"),
    "a message of several lines": (
        cell("x = 1\nraise ValueError('first.\\nsecond')", "jax"),
        4,
        "raised ValueError: first",
    ),
}


@pytest.fixture(scope="module")
def failed_book(tmp_path_factory: pytest.TempPathFactory) -> tuple[TinyBook, str, int]:
    """A book in which each page fails in another way, executed once: the book, what was said, the exit status."""
    pages = {f"page{number}": f"# x\n\n{page}" for number, (page, _, _) in enumerate(FAILING.values())}
    book = tiny_book(tmp_path_factory.mktemp("failed") / "book", {"index": PAGE, **pages})
    temporary = book.root / "tmp"
    temporary.mkdir()
    done = book.tabbook("execute", status=None, TMPDIR=str(temporary))
    return book, done.stderr, done.returncode


@pytest.mark.parametrize("case", FAILING)
def test_a_failing_cell_gives_a_letter_that_names_the_line(failed_book: tuple[TinyBook, str, int], case: str) -> None:
    """The letter names path and line, framework and cause, and quotes the cell with the line marked."""
    book, said, _ = failed_book
    number = list(FAILING).index(case)
    _, line, cause = FAILING[case]
    line += 2  # the heading above
    text = (book.root / "docs" / f"page{number}.md").read_text()
    letters = [letter.split("\n") for letter in re.split(r"\n(?=\S)", said) if "[cell-failed]" in letter]
    (letter,) = [letter for letter in letters if letter[0].startswith(f"docs/page{number}.md:")]
    assert letter[0] == f"docs/page{number}.md:{line}: error: JAX: this cell {cause}. [cell-failed]"
    assert f"    > {line:4} | {text.splitlines()[line - 1]}" in letter
    assert letter[-1].startswith("    hint: correct the cell")


def test_a_letter_in_full(tmp_path: Path) -> None:
    """The exact words that an author reads."""
    book = tiny_book(
        tmp_path / "book", {"index": "# x\n\n" + cell("a = 1\nb = 2\nc = 3\n\nd = a / 0\ne = 5\nf = 6", "jax")}
    )
    done = book.tabbook("execute", status=1)
    assert "\n".join(done.stderr.splitlines()[1:-1]) == (
        "docs/index.md:9: error: JAX: this cell raised ZeroDivisionError: division by zero. [cell-failed]\n"
        "         6 | b = 2\n"
        "         7 | c = 3\n"
        "         8 | \n"
        "    >    9 | d = a / 0\n"
        "        10 | e = 5\n"
        "    hint: correct the cell, or mark which tabs it is for; the page's other frameworks were built"
    )
    assert done.stderr.splitlines()[0] == "[1/1] index · JAX: failed at docs/index.md:9"


def test_failures_do_not_stop_the_others(failed_book: tuple[TinyBook, str, int]) -> None:
    """All other pages and frameworks are executed, the exit status is 1, and no scratch folder is left."""
    book, said, status = failed_book
    assert status == 1
    assert outputs(book, "index", "jax") == ["", "from jax\n", "42"]
    assert outputs(book, "index", "pytorch") == ["", "from torch\n", "42"]
    assert f"executed 2 notebooks (6 cells), reused 0, failed {len(FAILING)};" in said
    assert left_in(book.root / "tmp") == []


def test_a_failed_run_is_never_stored_as_good(failed_book: tuple[TinyBook, str, int]) -> None:
    """A failed notebook has no outputs in the store, only its failure; `status` says so."""
    book, _, _ = failed_book
    assert book.store.load(book.key("page0", "jax").digest) is None
    state = book.store.state("jax", "page0")
    assert state.failed_key == book.key("page0", "jax").digest
    assert state.diagnostic is not None
    assert state.diagnostic.code == "cell-failed"
    _, *lines, total = book.tabbook("status", "page0", "index").stdout.splitlines()
    assert sorted(line.split()[:3] for line in lines) == [
        ["index", "jax", "fresh"],
        ["index", "pytorch", "fresh"],
        ["page0", "jax", "failed"],
    ]
    assert total == "3 notebooks: 2 fresh, 1 failed"


def test_fixing_the_cell_executes_only_that_notebook(tmp_path: Path) -> None:
    book = tiny_book(tmp_path / "book", {"index": PAGE, "other": PAGE + cell("1 / 0", "jax")})
    first = book.tabbook("execute", status=1)
    assert "executed 2 notebooks (6 cells), reused 1, failed 1;" in first.stderr  # PyTorch's two are the same code
    book.edit("docs/other.md", "1 / 0", "1 / 1")
    second = book.tabbook("execute")
    assert executed(second.stderr) == ["other · JAX"]
    assert "executed 1 notebook (4 cells), reused 3, failed 0;" in second.stderr
    assert outputs(book, "other", "jax")[-1] == "1.0"
    assert book.store.state("jax", "other").failure is None


def test_a_cell_that_runs_too_long_is_ended(tmp_path: Path) -> None:
    """After cell_timeout seconds there is a letter, and neither the kernel nor what it started goes on."""
    slow = "import subprocess\nsubprocess.Popen(['sleep', '77.125'])\nwhile True: pass"
    book = tiny_book(tmp_path / "book", {"index": cell(slow, "jax")}, CONFIG + "\n[tabbook]\ncell_timeout = 2\n")
    began = time.monotonic()
    done = book.tabbook("execute", status=1, TMPDIR=str(tmp_path))
    assert time.monotonic() - began < 15
    assert "docs/index.md:3: error: JAX: this cell took longer than 2 seconds. [cell-failed]" in done.stderr
    assert left_in(tmp_path) == []
    assert processes_with(str(book.root)) == []
    assert processes_with("sleep 77.125") == []


def test_a_failing_prelude_is_told_as_such(tmp_path: Path) -> None:
    config = CONFIG.replace(
        "seed = import random; random.seed({seed})\n    noise", "seed = import no_such_module\n    noise"
    )
    book = tiny_book(tmp_path / "book", config=config)
    done = book.tabbook("execute", status=1)
    assert (
        "docs/index.md:1: error: PyTorch: the code that runs before the first cell raised ModuleNotFoundError: "
        "No module named 'no_such_module'. [kernel-failed]\n    hint: see `seed` of [framework-pytorch]"
    ) in done.stderr
    assert outputs(book, "index", "jax") == ["", "from jax\n", "42"]


def test_a_damaged_page_is_not_executed_and_it_is_said(tmp_path: Path) -> None:
    """Where it is not certain what a page's cells are nothing of it is run; the other pages are."""
    broken = "# x\n\ntext\n\n```{.python .input}\n1\n"
    book = tiny_book(tmp_path / "book", {"index": PAGE, "broken": broken})
    done = book.tabbook("execute", status=1)
    assert executed(done.stderr) == ["index · JAX", "index · PyTorch"]
    assert "docs/broken.md:5: error: The page was not executed" in done.stderr
    assert "hint: tabbook check docs/broken.md says what to correct" in done.stderr
    assert "executed 2 notebooks (6 cells), reused 0, failed 0" in done.stderr


def test_a_damaged_entry_is_named_and_made_again(tmp_path: Path) -> None:
    book = tiny_book(tmp_path / "book")
    book.tabbook("execute")
    key = book.key("index", "jax").digest
    path = book.root / "_build" / "store" / key[:2] / key / "outputs.json"
    path.write_text(path.read_text().replace("from jax", "from JAX"))
    done = book.tabbook("execute")
    assert f"the stored outputs {key[:12]} were damaged; they were dropped and will be made again" in done.stderr
    assert executed(done.stderr) == ["index · JAX"]
    assert outputs(book, "index", "jax")[1] == "from jax\n"


MARKED = {
    "announced": ("#@raises ValueError\nint('x')", ""),
    "any": ("#@raises\nint('x')", ""),
    "another": ("#@raises KeyError\nint('x')", "raised ValueError, and its mark says KeyError"),
    "none": ("x = 1\n#@raises KeyError", "raised nothing, and its mark says KeyError"),
    "slow": ("#@timeout 1\nimport time; time.sleep(30)", "took longer than 1 seconds"),
    "patient": ("#@timeout 30\nimport time; time.sleep(3)", ""),
}


def test_marks_say_what_a_cell_may_do(tmp_path: Path) -> None:
    """An announced exception is an output that readers see, another or none a failure; a cell may have a limit."""
    pages = {name: f"# x\n\n{cell(source, 'jax')}{cell('6 * 7', 'jax')}" for name, (source, _) in MARKED.items()}
    book = tiny_book(tmp_path / "book", {"index": "# x\n", **pages}, CONFIG + "\n[tabbook]\ncell_timeout = 2\n")
    done = book.tabbook("html", status=1)
    for name, (_, cause) in MARKED.items():
        said = re.search(rf"^docs/{name}\.md:\d+: error: JAX: this cell (.*?)\. \[", done.stderr, re.MULTILINE)
        assert (said[1] if said else "") == cause, name
    page = book.html("announced")
    assert "invalid literal for int() with base 10" in page
    assert "Traceback" not in page
    assert "#@raises" not in page
