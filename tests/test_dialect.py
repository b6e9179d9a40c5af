"""The dialect reader against the prose fixtures in tests/snippets.

`pytest tests/test_dialect.py --regenerate` writes what the reader gives now into the fixtures; read the difference.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable

import pytest

from cases import Case, read_cases, regenerate
from conftest import REPOSITORY
from tabbook.check import check_page
from tabbook.coverage import missing_cells
from tabbook.dialect import read_page
from tabbook.dialect.cell_marks import hides
from tabbook.dialect.elements import page_elements
from tabbook.dialect.grammar import prose_parser
from tabbook.document import Cell, CodeCell, Document
from tabbook.notebook import to_notebook
from tabbook.prose.glossary import parse_glossary
from tabbook.prose.rules import HouseStyle, prose_findings
from tabbook.select import select, undecidable


def _document(case: Case) -> Document:
    return read_page(case.source, "page.md", case.tabs)


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def show_cells(case: Case) -> str:
    """The cells with their source lines and tabs, and what a code cell hides."""
    return _lines(_show_cell(cell) for cell in _document(case).cells)


def _show_cell(cell: Cell) -> str:
    is_code = isinstance(cell, CodeCell)
    parts = ["code" if is_code else "text", f"{cell.span.first}-{cell.span.last}"]
    if is_code and cell.language != "python":
        parts.append(cell.language)
    if cell.tabs:
        parts.append(f"[{', '.join(cell.tabs)}]")
    if is_code:
        hidden = zip(("code", "outputs", "all from here"), hides(cell.source), strict=True)
        parts += [f"hides {name}" for name, is_hidden in hidden if is_hidden]
        parts += ["has outputs"] if cell.outputs else []
    return " ".join(parts)


def show_notebooks(case: Case) -> str:
    """The notebook of each tab, cell for cell; tabs with the same notebook share one."""
    document = _document(case)
    shown: dict[str, list[str]] = {}
    for tab in case.tabs or (None,):
        shown.setdefault(_show_notebook(document, tab, case.tabs), []).append(tab or "no tabs")
    return "".join(f"== {', '.join(names)}\n{text}" for text, names in shown.items())


def _show_notebook(document: Document, tab: str | None, tabs: tuple[str, ...]) -> str:
    selection = select(document, tab, tabs)
    if selection is None:
        return "no notebook\n"
    notebook = to_notebook(selection)
    lines = [f"libraries: {', '.join(notebook['metadata']['required_libs'])}"] if selection.libraries else []
    for cell in notebook["cells"]:
        lines += [f"-- {cell['cell_type']}", cell["source"].removesuffix("\n")]
        lines += [f"-> {output}" for output in cell.get("outputs", ())]
    return _lines(lines)


def show_elements(case: Case) -> str:
    """What stands in the prose: kind, value and line."""
    return _lines(f"{e.line}: {e.kind} {e.value!r}" for e in page_elements(_document(case)))


def show_diagnostics(case: Case) -> str:
    """The letters that an author gets."""
    document = _document(case)
    return _lines(found.letter() for found in sorted([*check_page(document), *undecidable(document, case.tabs)]))


def show_prose(case: Case) -> str:
    """The letters that the author of a Japanese book gets besides; its glossary is terms.csv beside the fixtures."""
    terms = (case.file.parent / "terms.csv").read_text("utf-8")
    style = HouseStyle(parse_glossary(terms, "terms.csv"), case.notes.get("register", "da"))
    document = _document(case)
    found = [*prose_findings(document, "page", style), *missing_cells(document, case.tabs)]
    return show_diagnostics(case) + _lines(one.letter() for one in sorted(found))


def show_html(case: Case) -> str:
    """The HTML that the prose parser makes, for rules that show there."""
    parser = prose_parser()
    parser.add_render_rule("myst_role", lambda _self, tokens, index, *_: f"<role>{tokens[index].content}</role>")
    return parser.render(case.source)


KINDS: dict[str, Callable[[Case], str]] = {
    "cells": show_cells,
    "notebook": show_notebooks,
    "elements": show_elements,
    "diagnostics": show_diagnostics,
    "html": show_html,
    "prose": show_prose,
}


@pytest.fixture(scope="session", autouse=True)
def _regenerate(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--regenerate"):
        for kind, result in KINDS.items():
            regenerate(kind, result)
        pytest.exit("the fixtures are written: read what changed", returncode=0)


@pytest.mark.parametrize("case", read_cases(), ids=lambda case: case.name)
def test_snippet(case: Case) -> None:
    """The reader gives for each fixture exactly what its author expects."""
    assert KINDS[case.kind](case) == case.expected


VALID_KINDS = ("cells", "notebook", "elements", "html", "prose")


@pytest.mark.parametrize("case", [c for c in read_cases() if c.kind in VALID_KINDS], ids=lambda case: case.name)
def test_valid_snippets_have_no_findings(case: Case) -> None:
    """What is not under tests/snippets/diagnostics is valid: the reader finds nothing wrong with it."""
    assert show_diagnostics(case) == ""


def test_every_kind_has_cases() -> None:
    """No folder of fixtures is overlooked because of its name."""
    assert {case.kind for case in read_cases()} == set(KINDS)


def _codes(source: str) -> set[str]:
    """The codes of findings in a module: what `Findings.add` is called with, and the keys of `_PROBLEMS`."""
    codes: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(attr="add"), args=[_, ast.Constant(value=str(code)), *_]):
                codes.add(code)
            case ast.Assign(targets=[ast.Name(id="_PROBLEMS")], value=ast.Dict(keys=keys)):
                codes |= {key.value for key in keys if isinstance(key, ast.Constant)}
    return codes


def test_every_finding_is_shown() -> None:
    """Each code of a finding stands in the expectation of a fixture or in a test of books."""
    package, tests = REPOSITORY / "src" / "tabbook", REPOSITORY / "tests"
    names = ("dialect/findings.py", "check.py", "coverage.py", "saved.py", "stated.py")
    modules = [*(package / name for name in names), *(package / "prose").glob("*.py")]
    codes = {code for module in modules for code in _codes(module.read_text("utf-8"))}
    assert len(codes) > 35
    books = (tests / name for name in ("test_check.py", "test_prose.py", "test_saved.py", "test_stated.py"))
    shown = "".join([*(case.expected for case in read_cases()), *(book.read_text("utf-8") for book in books)])
    assert codes - set(re.findall(r"\[([a-z0-9-]+)\]", shown)) == set()
