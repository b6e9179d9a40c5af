"""Our notebooks against those of the real d2lbook 1.0.3, which `tests/oracle.py` asks in its own environment.

Where dialect.md and d2lbook disagree, dialect.md wins; a fixture then says so with `{ours: why}`. What is left of
d2lbook's differences on valid pages, all deliberate: cells without any source (two blank lines between the fences) and
tab blocks without text are dropped, a `pass` is left where a branch was a whole body, and the page that is empty has
an empty notebook.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from cases import TABS, Case, read_cases
from conftest import REPOSITORY, needs_environment
from random_pages import random_page
from tabbook.config import load_config
from tabbook.dialect import read_page
from tabbook.document import CodeCell, Document
from tabbook.errors import has_errors
from tabbook.notebook import to_notebook
from tabbook.pages import find_pages
from tabbook.select import select

pytestmark = pytest.mark.slow

Cells = list[list[str]]


class Oracle:
    """The running d2lbook: one process for all questions, since it takes seconds to start."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(self, questions: list[dict[str, Any]]) -> list[Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(questions) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    python = needs_environment("d2lbook")
    command = [str(python), str(REPOSITORY / "tests" / "oracle.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Oracle(process)


@dataclass(frozen=True)
class Page:
    """A page and the tabs that it is read with."""

    name: str
    source: str
    tabs: tuple[str, ...] = TABS


def ours(page: Page, tab: str | None) -> dict[str, Any] | None:
    selection = select(read_page(page.source, page.name, page.tabs), tab, page.tabs)
    if selection is None:
        return None
    cells = [[cell["cell_type"], cell["source"]] for cell in to_notebook(selection)["cells"]]
    return {"cells": cells, "libraries": list(selection.libraries)}


def theirs(oracle: Oracle, pages: Sequence[Page]) -> list[list[Any]]:
    """Return d2lbook's answers: a list a page, an answer a tab."""
    questions = [
        # d2lbook opens its files in text mode, which turns every line end into a newline.
        {
            "source": page.source.replace("\r\n", "\n"),
            "tabs": page.tabs or [None],
            "default": next(iter(page.tabs), None),
        }
        for page in pages
    ]
    return oracle.ask(questions)


def differences(oracle: Oracle, pages: Sequence[Page]) -> dict[str, Any]:
    """Return what is unequal, by page and tab; code cells are compared as d2lbook formats them."""
    unequal: dict[str, Any] = {}
    for page, answers in zip(pages, theirs(oracle, pages), strict=True):
        for tab, answer in zip(page.tabs or (None,), answers, strict=True):
            own = ours(page, tab)
            if own != answer and not _equal_when_formatted(oracle, own, answer):
                unequal[f"{page.name} [{tab}]"] = {"page": page.source, "ours": own, "d2lbook": answer}
    return unequal


def _equal_when_formatted(oracle: Oracle, own: dict[str, Any] | None, answer: Any) -> bool:
    """Compare two notebooks whose code went through d2lbook's formatter: imports sorted, ends of lines stripped."""
    if own is None or answer is None or "error" in answer or own["libraries"] != answer["libraries"]:
        return False
    mine, other = oracle.ask([{"format": own["cells"]}, {"format": answer["cells"]}])
    return bool(mine == other)


def _has_cells(document: Document) -> bool:
    return any(isinstance(cell, CodeCell) or cell.tabs for cell in document.cells)


def _valid_cases() -> list[Case]:
    """The fixtures without errors that have code or tab blocks, and all that are marked as ours."""
    return [case for case in read_cases() if "ours" in case.notes or _is_comparable(case)]


def _is_comparable(case: Case) -> bool:
    document = read_page(case.source, case.file.name, case.tabs)
    return case.kind != "diagnostics" and _has_cells(document) and not has_errors(document.diagnostics)


def _pages(cases: list[Case]) -> list[Page]:
    return [Page(case.name, case.source, case.tabs) for case in cases]


def test_snippets_give_the_notebooks_of_d2lbook(oracle: Oracle) -> None:
    """Every valid fixture has for every tab the notebook that d2lbook makes of it."""
    cases = [case for case in _valid_cases() if "ours" not in case.notes]
    assert len(cases) > 40
    assert differences(oracle, _pages(cases)) == {}


def test_snippets_marked_as_ours_differ_from_d2lbook(oracle: Oracle) -> None:
    """Every fixture with the note `ours` is one that d2lbook reads otherwise, so no note is stale."""
    cases = [case for case in _valid_cases() if "ours" in case.notes]
    assert cases
    unequal = {name.rpartition(" [")[0] for name in differences(oracle, _pages(cases))}
    assert [case.name for case in cases if case.name not in unequal] == []


def test_book_gives_the_notebooks_of_d2lbook(oracle: Oracle) -> None:
    """Every page of this book has for every tab the notebook that d2lbook makes of it.

    But for pages with directives of ours: d2lbook knows none of them, and takes their fences for cells.
    """
    config = load_config(REPOSITORY)
    texts = {config.relative(path): path.read_text(encoding="utf-8") for path in find_pages(config)}
    pages = [Page(name, text, config.tabs) for name, text in texts.items() if "\n```{" not in text.replace("```{.", "")]
    assert len(pages) >= 12
    assert differences(oracle, pages) == {}


@pytest.mark.parametrize("book", ["tabbed", "untabbed"])
def test_small_books_give_the_notebooks_of_d2lbook(oracle: Oracle, book: str) -> None:
    """The books under tests/books have the notebooks that d2lbook makes of them."""
    config = load_config(REPOSITORY / "tests" / "books" / book)
    pages = [Page(config.relative(p), p.read_text(encoding="utf-8"), config.tabs) for p in find_pages(config)]
    assert pages
    assert differences(oracle, pages) == {}


@pytest.mark.parametrize(("tabs", "seed"), [(TABS, 1), (("jax", "pytorch"), 2), ((), 3)])
def test_random_pages_give_the_notebooks_of_d2lbook(oracle: Oracle, tabs: tuple[str, ...], seed: int) -> None:
    """A hundred random pages of valid pieces have for every tab the notebook that d2lbook makes of them."""
    chance = random.Random(seed)
    sources = [f"# 頁\n\n{random_page(chance, tabs)}" for _ in range(100)]
    pages = [Page(f"random-{seed}-{number}", source, tabs) for number, source in enumerate(sources)]
    assert [page.name for page in pages if read_page(page.source, page.name, tabs).diagnostics] == []
    assert differences(oracle, pages) == {}
