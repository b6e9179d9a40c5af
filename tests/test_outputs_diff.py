"""Stored outputs compared: numbers within a tolerance, everything else to the letter, each difference at its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from books_for_tests import TinyBook, cell, tiny_book
from tabbook.__main__ import main
from tabbook.execute.store import OutputStore, PageState, Record
from tabbook.execute.tolerance import Tolerance

SAME = {
    "the same text": ("loss: 0.5", "loss: 0.5"),
    "close numbers": ("loss: 0.123456789", "loss: 0.123456780"),
    "close numbers in an array": ("tensor([[1.0000001, 2.]], dtype=float32)", "tensor([[1.0, 2.]], dtype=float32)"),
    "a tiny number and nothing": ("[ 1e-09  1.]", "[-0. 1.]"),
    "columns that a sign has moved": ("[ 0.  1.]", "[-0.  1.]"),
    "a whole number as a float": ("1.", "1.0000001"),
    "a percentage": ("50.00001%", "50.00002%"),
    "a number between Japanese letters": ("損失は0.50000001である。", "損失は0.5である。"),
    "a complex number": ("1.5+2.0000001j", "1.5+2.0j"),
    "infinities": ("1e400", "2e400"),
}
DIFFERENT = {
    "numbers further apart": ("0.1234", "0.1235"),
    "whole numbers": ("step 100000", "step 100001"),
    "shapes": ("(2, 3)", "(2, 4)"),
    "text between numbers": ("[1.0, 2.0]", "[1.0; 2.0]"),
    "fewer numbers": ("1.0 2.0", "1.0"),
    "two numbers and one": ("1 2", "12"),
    "names with digits": ("float32", "float64"),
    "versions": ("2.13.0", "2.13.1"),
    "hexadecimal numbers": ("0x10", "0x11"),
    "a number and none": ("0.5", "nan"),
    "signs": ("0.5", "-0.5"),
    "a date": ("2026-11-23", "2026-11-24"),
}


@pytest.mark.parametrize("case", SAME)
def test_the_same_but_for_rounding(case: str) -> None:
    one, other = SAME[case]
    assert Tolerance().same(one, other)
    assert Tolerance().same(other, one)


@pytest.mark.parametrize("case", DIFFERENT)
def test_what_a_reader_sees_differs(case: str) -> None:
    one, other = DIFFERENT[case]
    assert not Tolerance().same(one, other)
    assert not Tolerance().same(other, one)


PAGE = f"""\
# 比べるページ

{cell("2 / 3")}
文である。

{cell("plot()", "jax")}
"""


def stream(text: str) -> list[dict[str, Any]]:
    return [{"output_type": "stream", "name": "stdout", "text": text}]


def value(content: str, kind: str = "text/plain") -> list[dict[str, Any]]:
    return [{"output_type": "display_data", "data": {kind: content}, "metadata": {}}]


@pytest.fixture
def book(tmp_path: Path) -> TinyBook:
    return tiny_book(tmp_path / "book", {"index": "# 本\n", "chapter/page": PAGE})


def fill(book: TinyBook, store: str, *outputs: list[dict[str, Any]], framework: str = "jax") -> OutputStore:
    """Put outputs of the page's present cells into a store beside the book."""
    key = book.key("chapter/page", framework)
    made = OutputStore(book.root / store)
    made.save(key, Record(tuple(zip(key.parts["cells"], outputs, strict=True)), {"date": "", "duration": 1.0}))
    made.note(framework, "chapter/page", PageState(key=key.digest, seconds=1.0))
    return made


def diff(book: TinyBook, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str, str]:
    """Compare the stores `a` and `b` beside the book."""
    stores = str(book.root / "a"), str(book.root / "b")
    status = main(["outputs", "diff", *stores, *options, "--project", str(book.root)])
    said = capsys.readouterr()
    return status, said.out.replace(f"{book.root}/", ""), said.err


def test_equal_stores_are_silent(book: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    """Durations, dates and the last digits of floats are no difference."""
    fill(book, "a", stream("0.6666666\n"), value("AAAA", "image/png"))
    fill(book, "b", stream("0.6666667\n"), value("AAAA", "image/png"))
    assert diff(book, capsys) == (0, "", "compared 1 notebook: no difference\n")


def test_a_difference_is_shown_at_its_cell(book: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    """The letter names the page's line and the framework; lines that are close enough are not among the changed."""
    fill(book, "a", stream("start\n0.66666\nend\n"), value("AAAA", "image/png"))
    fill(book, "b", stream("start\n0.66667\nfinish\n"), value("AAAA", "image/png"))
    status, out, err = diff(book, capsys, "--rtol", "1e-4")
    line = PAGE.split("\n").index("%%tab all") + 1
    assert (status, err) == (1, "compared 1 notebook: 1 difference\n")
    assert out == (
        f"docs/chapter/page.md:{line}: error: JAX: the outputs of this cell differ. [outputs-differ]\n"
        f"    --- {book.root}/a\n"
        f"    +++ {book.root}/b\n"
        "    @@ -2,4 +2,4 @@\n"
        "     start\n"
        "     0.66667\n"
        "    -end\n"
        "    +finish\n"
        "     \n"
    ).replace(f"{book.root}/", "")


@pytest.mark.parametrize(("options", "status"), [((), 1), (("--rtol", "1e-2"), 0), (("--atol", "1e-2"), 0)])
def test_the_tolerance_is_chosen(
    book: TinyBook, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], status: int
) -> None:
    fill(book, "a", stream("0.6666"), [])
    fill(book, "b", stream("0.6667"), [])
    assert diff(book, capsys, *options)[0] == status


def test_pictures_are_compared_by_their_bytes(book: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    """Also SVG, whose numbers are not what a reader reads; the cell is the second one."""
    for name, content in (("a", "<svg x='1.0000001'/>"), ("b", "<svg x='1.0000002'/>")):
        fill(book, name, [], value(content, "image/svg+xml"))
    status, out, _ = diff(book, capsys)
    assert status == 1
    assert out.startswith(f"docs/chapter/page.md:{PAGE.split(chr(10)).index('%%tab jax') + 1}: error: JAX:")
    assert "-sha256 " in out
    assert "20 bytes" in out


def test_another_kind_of_output_is_a_difference(book: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    fill(book, "a", stream("1"), [])
    fill(book, "b", value("1"), [])
    status, out, _ = diff(book, capsys)
    assert status == 1
    assert "-stdout:\n    +text/plain:\n     1" in out


def test_only_one_store_has_the_page(book: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    fill(book, "a", stream("1"), [])
    (book.root / "b").mkdir()
    status, out, _ = diff(book, capsys)
    assert status == 1
    assert "JAX: only a has outputs of this page. [outputs-missing]" in out.replace(str(book.root) + "/", "")


def test_outputs_of_changed_code_are_compared_cell_by_cell(book: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    """A store that was made before a cell was changed shows old code; the cells that are the same are compared."""
    fill(book, "a", stream("0.6"), value("old"))
    book.edit("docs/chapter/page.md", "2 / 3", "3 / 4")
    fill(book, "b", stream("0.75"), value("new"))
    status, out, err = diff(book, capsys)
    assert status == 1
    assert err == "compared 1 notebook: 2 differences\n"
    first, second = out.split("docs/chapter/page.md:")[1:]
    assert first.startswith("4: error: JAX: the outputs are of different code. [code-differs]\n")
    assert "    -2 / 3\n    +3 / 4\n" in first
    assert "[outputs-differ]" in second
    assert "    -old\n    +new\n" in second


def test_pages_and_frameworks_are_chosen(book: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in (("a", "1"), ("b", "2")):
        fill(book, name, stream(text), [])
        fill(book, name, stream("0"), framework="pytorch")
    assert diff(book, capsys)[0] == 1
    assert diff(book, capsys, "--framework", "jax")[0] == 1
    assert diff(book, capsys, "--framework", "pytorch") == (0, "", "compared 1 notebook: no difference\n")
    assert diff(book, capsys, "index") == (0, "", "compared 0 notebooks: no difference\n")


def test_json_has_all_that_the_letters_have(book: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    long = "\n".join(f"line {number}" for number in range(100))
    fill(book, "a", stream(long), [])
    fill(book, "b", stream(long.replace("line", "row")), [])
    status, out, _ = diff(book, capsys, "--format", "json")
    (found,) = json.loads(out)
    assert status == 1
    assert {name: found[name] for name in ("page", "framework", "path", "line", "code")} == {
        "page": "chapter/page",
        "framework": "jax",
        "path": "docs/chapter/page.md",
        "line": 4,
        "code": "outputs-differ",
    }
    assert len(found["diff"]) > 200
    text = diff(book, capsys)[1]
    assert len(text.splitlines()) < 50
    assert "more lines; `--format json` has them" in text


def test_no_difference_is_an_empty_list(book: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        fill(book, name, stream("1"), [])
    assert json.loads(diff(book, capsys, "--format", "json")[1]) == []


def test_damaged_outputs_count_as_missing_and_are_named(book: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        fill(book, name, stream("1"), [])
    key = book.key("chapter/page", "jax").digest
    (book.root / "b" / key[:2] / key / "outputs.json").write_text("{}")
    status, out, err = diff(book, capsys)
    assert status == 1
    assert "[outputs-missing]" in out
    assert f"b: the stored outputs {key[:12]} were damaged and count as missing" in err


@pytest.mark.parametrize("options", [("nowhere",), ("--rtol", "x"), ("--framework", "jaxx")])
def test_wrong_use_is_status_2(book: TinyBook, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]) -> None:
    for name in ("a", "b"):
        (book.root / name).mkdir()
    try:
        status = diff(book, capsys, *options)[0]
    except SystemExit as end:  # argparse ends so
        status = int(end.code or 0)
    assert status == 2


def test_a_store_that_does_not_exist_is_wrong_use(book: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    (book.root / "b").mkdir()
    status, out, err = diff(book, capsys)
    assert (status, out) == (2, "")
    assert err == f"{book.root}/a: no such store.\n    hint: a store is a folder such as _build/store\n"


DIFFERENT_EACH_TIME = "import os\nprint('random', os.urandom(8).hex())"


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> TinyBook:
    """A book with one page whose outputs are never the same twice in one framework."""
    pages = {
        "index": "# 本\n",
        "steady": "# 同じ\n\n" + cell("1 / 3", "jax"),
        "random": "# 違う\n\n" + cell("1 / 3") + cell(DIFFERENT_EACH_TIME, "jax"),
    }
    book = tiny_book(tmp_path_factory.mktemp("executed") / "book", pages)
    book.tabbook("execute")
    return book


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_check_finds_the_cell_that_prints_something_else(executed: TinyBook) -> None:
    """All cells are run again although the store has their outputs, and the store stays as it is."""
    before = contents(executed.store.folder)
    done = executed.tabbook("outputs", "check", status=1)
    assert "executed 3 notebooks (4 cells), reused 0, failed 0" in done.stderr
    assert "compared 3 notebooks: 1 difference\n" in done.stderr
    line = (executed.root / "docs" / "random.md").read_text(encoding="utf-8").split("\n").index("%%tab jax") + 1
    letter = done.stdout.split("\n")
    assert letter[0] == f"docs/random.md:{line}: error: JAX: the outputs of this cell differ. [outputs-differ]"
    assert letter[1:3] == ["    --- stored", "    +++ executed"]
    assert [text[:11] for text in letter if "random " in text] == ["    -random", "    +random"]
    entry = executed.key("random", "jax").digest
    assert f"remove {executed.store.folder}/{entry[:2]}/{entry} and run `tabbook execute`" in letter[-2]
    assert contents(executed.store.folder) == before


def test_check_of_what_is_steady_passes(executed: TinyBook) -> None:
    done = executed.tabbook("outputs", "check", "steady")
    assert done.stdout == ""
    assert done.stderr.endswith("compared 1 notebook: no difference\n")


def test_check_tells_what_readers_see_of_old_code_and_of_failures(executed: TinyBook, tmp_path: Path) -> None:
    """Outputs of code that has changed since are not what the code prints; a cell that fails is told as ever."""
    executed.edit("docs/steady.md", "1 / 3", "1 / 4")
    done = executed.tabbook("outputs", "check", "steady", status=1)
    assert done.stdout.startswith("docs/steady.md:4: error: JAX: the outputs are of different code. [code-differs]\n")
    assert done.stdout.endswith("    hint: run `tabbook execute`, which brings the stored outputs up to date\n")
    executed.edit("docs/steady.md", "1 / 4", "1 / 0")
    done = executed.tabbook("outputs", "check", "steady", status=1)
    assert (
        "docs/steady.md:5: error: JAX: this cell raised ZeroDivisionError: division by zero. [cell-failed]"
        in done.stderr
    )
    assert executed.store.state("jax", "steady").failure is None, "the book's own store is only read"
