"""A failed cell as a letter to its author: which line of which page, in which framework, why, and what to do."""

from __future__ import annotations

from tabbook.dialect.branches import BranchError, select_branches
from tabbook.dialect.cell_marks import without_marks
from tabbook.errors import Diagnostic
from tabbook.execute.job import CellFailure
from tabbook.execute.task import Task

__all__ = ["failure_letter"]

_CONTEXT = 3
"""Lines of the cell shown before the failing one."""

_PROBE = "#tabbook-was-here"


def failure_letter(task: Task, failure: CellFailure) -> Diagnostic:
    """Return the located diagnostic of a failed cell, with the lines around the failure."""
    title = task.framework.title
    if failure.index < 0:
        return Diagnostic(
            task.document.path,
            1,
            "kernel-failed",
            "error",
            f"{title}: the code that runs before the first cell {failure.cause}.",
            f"see `seed` of [framework-{task.framework.name}] and the pinned versions in its requirements",
        )
    written = task.original(failure.index)
    executed = task.cells[failure.index].source
    line = _line_in_page(executed, written.source, max(failure.line, 1), task.framework.name)
    cause, *further = failure.cause.split("\n")
    quoted = _quoted(written.source, line, written.first_line)
    return Diagnostic(
        task.document.path,
        written.first_line + line,
        "cell-failed",
        "error",
        "\n".join([f"{title}: this cell {cause.rstrip('.')}.", *further, *quoted]),
        "correct the cell, or mark which tabs it is for; the page's other frameworks were built",
    )


def _line_in_page(executed: str, written: str, line: int, tab: str) -> int:
    """Return the index, in the cell as written, of line `line` (from 1) of the cell as executed.

    Marks and the branches of other tabs are not executed, so what was executed may be shorter: each written line is
    marked in turn, until the mark appears in the executed line.
    """
    lines = executed.split("\n")
    index = line - 1 + _blank_lines_before(lines)  # IPython drops them before it counts
    originals = written.split("\n")
    if executed == written or index >= len(lines):
        return min(index, len(originals) - 1)
    for candidate in range(index, len(originals)):
        probed = [*originals[:candidate], originals[candidate] + _PROBE, *originals[candidate + 1 :]]
        try:
            selected = select_branches(without_marks("\n".join(probed)), tab).split("\n")
        except BranchError:  # a line that ends in a backslash
            continue
        if index < len(selected) and _PROBE in selected[index]:
            return candidate
    return min(index, len(originals) - 1)


def _blank_lines_before(lines: list[str]) -> int:
    return next((index for index, line in enumerate(lines) if line.strip()), 0)


def _quoted(source: str, line: int, first_line: int) -> list[str]:
    lines = source.split("\n")
    shown = range(max(0, line - _CONTEXT), min(len(lines), line + 2))
    return [f"{'>' if index == line else ' '} {first_line + index:4} | {lines[index]}" for index in shown]
