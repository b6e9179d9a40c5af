"""The frameworks' notebooks of a page as one sequence: what all readers see, and groups with a panel a framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from tabbook.dialect.cell_marks import hides, without_hide_marks
from tabbook.document import ALL, CodeCell, Document, TextCell
from tabbook.select import Selection

__all__ = ["Group", "Panel", "Shown", "merge"]

Output = dict[str, Any]


@dataclass(frozen=True)
class Shown:
    """A cell as it is shown: `source` without marks, and its outputs. Hidden code is an empty source.

    `notice` says what readers must know of the outputs of this framework's code, such as that they are missing, and
    `skipped` why this very cell was not run.
    """

    position: int
    cell: TextCell | CodeCell
    source: str
    outputs: tuple[Output, ...] = ()
    notice: str = ""
    skipped: str = ""

    @property
    def is_code(self) -> bool:
        return isinstance(self.cell, CodeCell)

    def same_as(self, other: Shown) -> bool:
        return self._seen() == other._seen()

    def _seen(self) -> tuple[object, ...]:
        return self.position, self.source, self.outputs, self.notice, self.skipped


@dataclass(frozen=True)
class Panel:
    """Cells for the readers of `tabs`."""

    tabs: tuple[str, ...]
    cells: tuple[Shown, ...]


@dataclass(frozen=True)
class Group:
    """Panels of which a reader sees one."""

    panels: tuple[Panel, ...]


def merge(
    document: Document,
    notebooks: Mapping[str, tuple[Selection, Mapping[int, Sequence[Output]]]],
    notices: Mapping[str, str] | None = None,
    skipped: Mapping[str, Mapping[int, str]] | None = None,
) -> list[Shown | Group]:
    """Merge the notebooks of a page, given by tab in the order of the tabs.

    A cell that is the same for all of them, outputs and what is said of them included, stands once and outside any
    group. Cells that follow each other and differ are one group; frameworks with the same cells share a panel.
    """
    tabs = tuple(notebooks)
    said, left_out = notices or {}, skipped or {}
    shown = {
        tab: _shown(selection, outputs, said.get(tab, ""), left_out.get(tab, {}))
        for tab, (selection, outputs) in notebooks.items()
    }
    rows = [
        (position, {tab: shown[tab][position] for tab in tabs if position in shown[tab]})
        for position in range(len(document.cells))
    ]
    merged: list[Shown | Group] = []
    for is_shared, run in groupby((row for _, row in rows if row), key=lambda row: _is_shared(row, tabs)):
        if is_shared:
            merged += [next(iter(row.values())) for row in run]
        else:
            merged.append(_group(list(run), tabs))
    return merged


def _is_shared(row: Mapping[str, Shown], tabs: Sequence[str]) -> bool:
    first, *others = row.values()
    return len(row) == len(tabs) and all(first.same_as(other) for other in others)


def _group(rows: Sequence[Mapping[str, Shown]], tabs: Sequence[str]) -> Group:
    panels: list[Panel] = []
    for tab in tabs:
        cells = _joined([row[tab] for row in rows if tab in row])
        twin = next((index for index, panel in enumerate(panels) if _same(panel.cells, cells)), None)
        if not cells:
            continue
        if twin is None:
            panels.append(Panel((tab,), cells))
        else:
            panels[twin] = replace(panels[twin], tabs=(*panels[twin].tabs, tab))
    return Group(tuple(panels))


def _same(cells: Sequence[Shown], others: Sequence[Shown]) -> bool:
    return len(cells) == len(others) and all(cell.same_as(other) for cell, other in zip(cells, others, strict=True))


def _joined(cells: Sequence[Shown]) -> tuple[Shown, ...]:
    """Join code cells that follow each other without an output in between."""
    result: list[Shown] = []
    for cell in cells:
        last = result[-1] if result else None
        if last and _joins(last, cell):
            result[-1] = replace(cell, position=last.position, cell=last.cell, source=f"{last.source}\n\n{cell.source}")
        else:
            result.append(cell)
    return tuple(result)


def _joins(first: Shown, second: Shown) -> bool:
    both_code = first.is_code and second.is_code and first.source and second.source
    return bool(both_code) and not first.outputs and not first.skipped and not second.skipped


def _shown(
    selection: Selection, outputs: Mapping[int, Sequence[Output]], notice: str, skipped: Mapping[int, str]
) -> dict[int, Shown]:
    """Return the cells of a notebook by position, with what `# hide …` comments hide taken out."""
    found: dict[int, Shown] = {}
    all_hidden = False
    for position, cell in selection.cells:
        if isinstance(cell, TextCell):
            if not cell.tabs or selection.tab in cell.tabs or ALL in cell.tabs:
                found[position] = Shown(position, cell, cell.source)
            continue
        code, output, all_from_here = hides(cell.source)
        all_hidden = all_hidden or all_from_here
        source = "" if code or all_hidden else without_hide_marks(cell.source).strip("\n")
        kept = () if output or all_hidden else tuple(outputs.get(position, ()))
        if source or kept:
            found[position] = Shown(position, cell, source, kept, notice, skipped.get(position, ""))
    return found
