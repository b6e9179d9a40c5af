"""The cells that one framework's reader has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tabbook.dialect.branches import BranchError, branch_errors, select_branches
from tabbook.dialect.cell_marks import is_tab_loader, required_libraries, without_marks
from tabbook.document import ALL, Cell, CodeCell, Document, TextCell
from tabbook.errors import Diagnostic

__all__ = ["Selection", "select", "undecidable"]


@dataclass(frozen=True)
class Selection:
    """A page as framework `tab` has it: pairs of position in the page and cell.

    Code cells have lost their tab mark and the branches of other tabs. `libraries` is what the page asks to be
    installed where its notebook is hosted.
    """

    tab: str | None
    cells: tuple[tuple[int, Cell], ...]
    libraries: tuple[str, ...] = ()

    @property
    def code(self) -> tuple[tuple[int, CodeCell], ...]:
        """The code cells that run, with their positions in the page."""
        return tuple((position, cell) for position, cell in self.cells if isinstance(cell, CodeCell))


def select(document: Document, tab: str | None, tabs: Sequence[str]) -> Selection | None:
    """Return the page's cells for `tab`, or None where the page has no notebook for it.

    A page without code exists in every tab. Otherwise some cell must be for the tab: an unmarked code cell is for
    the default tab (the first of `tabs`), and `all` alone is enough for the default tab only.
    """
    if tab is None:
        return Selection(None, tuple(enumerate(document.cells)))
    default = tabs[0]
    has_code = any(True for _ in document.code_cells)
    named = any(tab in cell.tabs for cell in document.cells)
    if has_code and tab != default and not named:
        return None
    meant = [(position, cell) for position, cell in enumerate(document.cells) if _is_for(cell, tab, default)]
    loaders = [cell.source for _, cell in meant if isinstance(cell, CodeCell) and is_tab_loader(cell.source)]
    kept = [(position, cell) for position, cell in meant if not is_tab_loader(cell.source) or not _is_tabbed(cell)]
    if has_code and not any(_is_tabbed(cell) for _, cell in kept):
        return None
    cells = tuple((position, _as_seen_by(cell, tab)) for position, cell in kept)
    return Selection(tab, cells, required_libraries(loaders))


def undecidable(document: Document, tabs: Sequence[str]) -> list[Diagnostic]:
    """Return a diagnostic for each ``if tab.selected(…)`` whose condition cannot be decided when it is read."""
    from tabbook.dialect.findings import Findings  # noqa: PLC0415 - only for a damaged page

    findings = Findings(document.path)
    for cell in document.code_cells if tabs else ():
        for error in branch_errors(without_marks(cell.source)):
            findings.undecidable_branch(_line_of(cell, error.line), error.reason)
    return findings.found


def _line_of(cell: CodeCell, line: int) -> int:
    """Return the file's line for a line of the cell without its marks."""
    kept = [index for index, text in enumerate(cell.source.split("\n")) if without_marks(text) or not text]
    return cell.first_line + (kept[line] if line < len(kept) else line)


def _is_tabbed(cell: Cell) -> bool:
    return isinstance(cell, CodeCell) or bool(cell.tabs)


def _is_for(cell: Cell, tab: str, default: str) -> bool:
    if not _is_tabbed(cell):
        return True
    names = cell.tabs or (default,)
    return names == (ALL,) or tab in names


def _as_seen_by(cell: Cell, tab: str) -> Cell:
    if isinstance(cell, TextCell):
        return cell
    source = without_marks(cell.source)
    try:
        return replace(cell, source=select_branches(source, tab))
    except BranchError:
        return replace(cell, source=source)  # reported by `undecidable`; the page is not executed
