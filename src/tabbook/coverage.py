"""Places of a page where one framework's reader finds a cell and another's does not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from tabbook.dialect.cell_marks import is_tab_loader
from tabbook.dialect.findings import Findings
from tabbook.document import ALL, Cell, CodeCell, Document
from tabbook.errors import Diagnostic
from tabbook.select import select

__all__ = ["missing_cells"]

_ONLY = re.compile(r"^[ \t]*#@only[ \t]+\S", re.MULTILINE)


def missing_cells(document: Document, tabs: Sequence[str]) -> list[Diagnostic]:
    """Report runs of cells, each for some frameworks, that leave out one which has cells elsewhere in the page.

    A cell with a line `#@only reason` says that this is meant.
    """
    findings = Findings(document.path)
    if document.damaged:
        return []
    present = [tab for tab in tabs if select(document, tab, tabs) is not None]
    for run in _runs(document.cells):
        served = {tab for cell in run for tab in cell.tabs or tabs[:1]}
        missing = [tab for tab in present if tab not in served]
        if missing and not any(_ONLY.search(cell.source) for cell in run):
            findings.add(
                run[0].span.first,
                "missing-cell",
                f"The cells here leave out {', '.join(missing)}.",
                "write cells for them, or say in one of these cells why not: #@only reason",
                "warning",
            )
    return findings.found


def _runs(cells: Sequence[Cell]) -> Iterator[list[CodeCell]]:
    """Yield the runs of code cells that follow each other without text; what is for all is in none."""
    for is_part, group in groupby(cells, key=_is_for_some):
        if is_part:
            yield [cell for cell in group if isinstance(cell, CodeCell)]


def _is_for_some(cell: Cell) -> bool:
    return isinstance(cell, CodeCell) and ALL not in cell.tabs and not is_tab_loader(cell.source)
