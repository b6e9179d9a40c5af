"""What `tabbook check` says of a whole book, and that nothing an author writes makes it stop."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from cases import TABS, Case, read_cases
from conftest import REPOSITORY
from tabbook.check import check_book, check_page
from tabbook.config import load_config
from tabbook.dialect import read_page
from tabbook.errors import Diagnostic, as_json, as_text, has_errors
from tabbook.notebook import to_notebook
from tabbook.pages import find_pages
from tabbook.select import select, undecidable

CONFIG = "[build]\ntabs = pytorch, jax\n"
INDEX = "# 目次\n\n```toc\na\n```\n"


def letters(folder: Path, files: dict[str, str | bytes]) -> str:
    """Write a book's files and return what is found in it."""
    for name, content in {"config.ini": CONFIG, "index.md": INDEX, "a.md": "# 頁\n", **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    config = load_config(folder)
    return as_text(check_book(config, find_pages(config)))


def test_good_book_has_no_findings(tmp_path: Path) -> None:
    """A book whose references all resolve, across pages and in any order, gives no letter."""
    page = "# 頁\n:label:`sec_a`\n\n:numref:`sec_b`と:eqref:`eq_b`と:cite:`A.2020`。\n\n![図](img/a.svg)\n"
    other = "# 別の頁\n:label:`Sec_B`\n\n$$x$$\n:eqlabel:`eq_b`\n\n:ref:`sec_a`\n\n:bibliography:`../all.bib`\n"
    files = {"a.md": page, "c/b.md": other, "img/a.svg": "<svg/>", "all.bib": "@book{A.2020,\n title={x}}\n"}
    assert letters(tmp_path, files) == ""


def test_unknown_label(tmp_path: Path) -> None:
    """A reference to a label that no page gives is told with the nearest label."""
    page = "# 頁\n:label:`sec_intro`\n\n一行目。\n:numref:`sec_intor`。\n\n:eqref:`eq_none`と:ref:`fig_none`。\n"
    assert letters(tmp_path, {"a.md": page}) == (
        "a.md:5: error: No :label:`sec_intor` exists in the book. [unknown-label]\n"
        "    hint: did you mean `sec_intro`?\n"
        "a.md:7: error: No :eqlabel:`eq_none` exists in the book. [unknown-label]\n"
        "    hint: put :eqlabel: on the line after the formula that is meant\n"
        "a.md:7: error: No :label:`fig_none` exists in the book. [unknown-label]\n"
        "    hint: give the heading, figure or table that is meant a :label:"
    )


def test_duplicate_label(tmp_path: Path) -> None:
    """The second place of a label names the first; labels and formulas have names of their own."""
    files = {
        "a.md": "# 頁\n:label:`one`\n\n$$x$$\n:eqlabel:`one`\n\n$$y$$\n:eqlabel:`one`\n",
        "b.md": "# 別\n:label:`ONE`\n",
    }
    assert letters(tmp_path, files) == (
        "a.md:8: error: `one` is already the label at a.md:5. [duplicate-label]\n"
        "    hint: choose another name\n"
        "b.md:2: error: `ONE` is already the label at a.md:2. [duplicate-label]\n"
        "    hint: choose another name"
    )


def test_unknown_citation(tmp_path: Path) -> None:
    """A citation key that the bibliography lacks is told, each of several keys for itself."""
    files = {
        "config.ini": CONFIG + "[pdf]\nbibfile = all.bib\n",
        "all.bib": "@article{Smith.2020,\n  title = {x}\n}\n@book{Sato.2021, title = {y}}\n",
        "a.md": "# 頁\n\n:cite:`Smith.2020,Smiht.2020`と:citet:`Nobody`。\n",
    }
    assert letters(tmp_path, files) == (
        "a.md:3: error: `Nobody` is not in the bibliography. [unknown-citation]\n"
        "    hint: add an entry with this key to the bibliography\n"
        "a.md:3: error: `Smiht.2020` is not in the bibliography. [unknown-citation]\n"
        "    hint: did you mean `Smith.2020`?"
    )


def test_missing_bibliography(tmp_path: Path) -> None:
    """A bibliography that config.ini names and that is not there is told where it is named."""
    assert letters(tmp_path, {"config.ini": CONFIG + "[pdf]\nbibfile = none.bib\n"}) == (
        "config.ini:4: error: The bibliography none.bib does not exist. [missing-file]\n"
        "    hint: write the file, or set `bibfile` under [pdf]"
    )


def test_missing_file(tmp_path: Path) -> None:
    """A figure or an image whose file is missing is told with the folder from which paths start."""
    page = "# 頁\n\n![図](img/none.svg)\n:width:`20px`\n\n文中の![図](none.png)と![網](https://example.org/a.png)。\n"
    assert letters(tmp_path, {"c/a.md": page}) == (
        "c/a.md:3: error: The file img/none.svg does not exist. [missing-file]\n"
        "    hint: paths start from the page's folder c/\n"
        "c/a.md:6: error: The file none.png does not exist. [missing-file]\n"
        "    hint: paths start from the page's folder c/"
    )


def test_missing_page_in_toc(tmp_path: Path) -> None:
    """An entry of the table of contents without a page is told on its own line."""
    index = "# 目次\n\n```toc\n:maxdepth: 2\n:numbered:\n\na\nnone\nc/index\n```\n"
    assert letters(tmp_path, {"index.md": index}) == (
        "index.md:8: error: The table of contents names none, which does not exist. [missing-page]\n"
        "    hint: write its path from this page's folder, without .md\n"
        "index.md:9: error: The table of contents names c/index, which does not exist. [missing-page]\n"
        "    hint: write its path from this page's folder, without .md"
    )


def test_page_that_is_not_utf_8(tmp_path: Path) -> None:
    """A page in another encoding is a finding with its line, not a crash."""
    assert letters(tmp_path, {"a.md": "# 頁\n\n".encode() + "日本語\n".encode("shift_jis")}) == (
        "a.md:3: error: Byte 7 is not UTF-8. [not-utf-8]\n    hint: save the page in the encoding UTF-8"
    )


def test_broken_page_does_not_hide_the_others(tmp_path: Path) -> None:
    """Findings of all pages come together, and labels of a broken page still count as labels."""
    files = {
        "a.md": "# 頁\n:label:`sec_a`\n\nx = 1\n```\n",
        "b.md": "# 頁\n\n:numref:`sec_a`と:foo:`x`。\n",
        "c.md": b"\xff",
        "d.md": "# 頁\n\n:numref:`sec_none`\n",
    }
    found = letters(tmp_path, files).split("\n")
    assert [line.partition(" ")[0] for line in found if not line.startswith(" ")] == [
        "a.md:5:",
        "b.md:3:",
        "c.md:1:",
        "d.md:3:",
    ]


def test_only_the_chosen_pages_are_told(tmp_path: Path) -> None:
    """Checking one page resolves its references in the whole book and keeps silent about the others."""
    letters(tmp_path, {"a.md": "# 頁\n\n:numref:`sec_b`\n", "b.md": "# 別\n:label:`sec_b`\n\n:foo:`x`\n"})
    assert check_book(load_config(tmp_path), [tmp_path / "a.md"]) == []


def test_condition_that_cannot_be_decided(tmp_path: Path) -> None:
    """A condition on a tab and something else is told on its line, once for all tabs."""
    page = "# 頁\n\n```{.python .input}\n%%tab pytorch, jax\nif tab.selected('jax') and x:\n    y = 1\n```\n"
    assert letters(tmp_path, {"a.md": page}).split("\n")[0] == (
        "a.md:5: error: This `tab.selected` cannot be decided: `x` is not known before the cell runs. [tab-condition]"
    )


def test_diagnostics_as_json() -> None:
    """The JSON form holds every field and keeps Japanese letters readable."""
    found = [Diagnostic("頁.md", 3, "unclosed-fence", "error", "終わりがない。", "閉じる。")]
    text = as_json(found)
    assert "終わりがない。" in text
    assert json.loads(text) == [
        {
            "path": "頁.md",
            "line": 3,
            "code": "unclosed-fence",
            "severity": "error",
            "message": "終わりがない。",
            "hint": "閉じる。",
        }
    ]
    assert json.loads(as_json([])) == []


def test_warnings_are_no_errors() -> None:
    """A page with warnings only may be built."""
    warning = Diagnostic("a.md", 1, "x", "warning", "x")
    error = Diagnostic("a.md", 1, "x", "error", "x")
    assert not has_errors([warning])
    assert has_errors([warning, error])


def mutated(chance: random.Random, source: str) -> str:
    """Return a page with one to three lines deleted, doubled or swapped, or characters deleted."""
    lines = source.split("\n")
    for _ in range(chance.randrange(1, 4)):
        first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
        match chance.randrange(4):
            case 0 if len(lines) > 1:
                del lines[first]
            case 1:
                lines.insert(second, lines[first])
            case 2:
                lines[first], lines[second] = lines[second], lines[first]
            case _ if lines[first]:
                place = chance.randrange(len(lines[first]))
                lines[first] = lines[first][:place] + lines[first][place + 1 + chance.randrange(3) :]
    return "\n".join(lines)


def mutations() -> list[tuple[Case, str]]:
    chance = random.Random(20261123)
    cases = read_cases()
    return [(case, mutated(chance, case.source)) for case in (chance.choice(cases) for _ in range(500))]


@pytest.mark.parametrize("part", range(5))
def test_no_page_makes_the_reader_stop(part: int) -> None:
    """A damaged page is read, checked and selected without an exception, and its findings are on its lines."""
    for case, source in mutations()[part::5]:
        document = read_page(source, "page.md", case.tabs)
        found = [*check_page(document), *undecidable(document, case.tabs)]
        count = source.count("\n") + 1
        assert all(1 <= diagnostic.line <= count for diagnostic in found), source
        for tab in case.tabs or (None,):
            selection = select(document, tab, case.tabs)
            assert selection is None or to_notebook(selection)["nbformat"] == 4, source


@pytest.mark.parametrize("part", range(5))
def test_cells_of_damaged_pages_keep_their_lines(part: int) -> None:
    """Whatever a page holds, its cells' sources are the lines of their spans, in order and without overlap."""
    for _, source in mutations()[part::5]:
        lines = source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        end = 0
        for cell in read_page(source, "page.md", TABS).cells:
            assert end < cell.span.first <= cell.span.last <= len(lines), source
            held = cell.source.split("\n")
            assert lines[cell.first_line - 1 : cell.first_line - 1 + len(held)] == held, source
            end = cell.span.last


@pytest.mark.parametrize("book", ["tabbed", "untabbed"])
def test_small_books_have_no_findings(book: str) -> None:
    """The books under tests/books are sound, so what is found in them elsewhere is the finder's fault."""
    config = load_config(REPOSITORY / "tests" / "books" / book)
    assert as_text(check_book(config, find_pages(config))) == ""


def test_page_without_a_label(tmp_path: Path) -> None:
    """Where most pages have a label, one without is told; the first page needs none."""
    labelled = "# 頁\n:label:`sec_{}`\n"
    files = {"a.md": labelled.format("a"), "b.md": labelled.format("b"), "c.md": "# 頁\n\n## 節\n:label:`sec_c`\n"}
    assert letters(tmp_path, files) == (
        "c.md:1: warning: The page's heading has no label, as those of the other pages have. [unlabelled-page]\n"
        "    hint: put :label:`sec_…` on the line after it, so that it can be referred to"
    )


def test_pages_of_a_book_without_labels(tmp_path: Path) -> None:
    """A book that does not label its pages is not told to."""
    assert letters(tmp_path, {"a.md": "# 頁\n:label:`sec_a`\n", "b.md": "# 頁\n", "c.md": "# 頁\n"}) == ""
