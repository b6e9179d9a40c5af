"""`tabbook outputs`: two stores compared, or the book's own with what its code prints now."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from tabbook.errors import BookError
from tabbook.execute.compare import Difference, Side, compare, recorded
from tabbook.execute.store import OutputStore
from tabbook.execute.task import Task
from tabbook.execute.tolerance import Tolerance

__all__ = ["existing_store", "report_differences", "stored_and_executed"]


def existing_store(folder: Path) -> Side:
    """Return the store in a folder.

    Raises:
        BookError: there is no such folder.
    """
    if not folder.is_dir():
        raise BookError(f"{folder}: no such store.\n    hint: a store is a folder such as _build/store")
    return Side(OutputStore(folder), str(folder))


def report_differences(
    tasks: Iterable[Task], sides: tuple[Side, Side], tolerance: Tolerance, output: str, is_check: bool = False
) -> int:
    """Print what differs between two stores and return the exit status; a check says what to do about it."""
    differences: list[Difference] = []
    notebooks = 0
    for task in tasks:
        notebooks += any(recorded(task, side.store) for side in sides)
        differences += compare(task, *sides, tolerance)
    if output == "json":
        print(json.dumps([asdict(difference) for difference in differences], ensure_ascii=False, indent=1))
    else:
        for difference in differences:
            print(difference.letter(_hint(difference) if is_check else ""))
    for side in sides:
        for key in side.store.dropped:
            print(f"{side.name}: the stored outputs {key[:12]} were damaged and count as missing", file=sys.stderr)
    print(_summary(notebooks, differences), file=sys.stderr)
    return int(bool(differences))


def stored_and_executed(store: OutputStore, executed: Path) -> tuple[Side, Side]:
    """Return the two sides of a check: what readers see, and what the code printed when it was run again."""
    return Side(store, "stored"), Side(OutputStore(executed), "executed")


def _hint(difference: Difference) -> str:
    if difference.code == "outputs-differ" and difference.entry:
        return (
            "make the cell print the same in every run; where what is stored is out of date, "
            f"remove {difference.entry} and run `tabbook execute`"
        )
    return "run `tabbook execute`, which brings the stored outputs up to date"


def _summary(notebooks: int, differences: Sequence[Difference]) -> str:
    """Return the closing line.

    >>> _summary(2, [])
    'compared 2 notebooks: no difference'
    """
    noun = "notebook" if notebooks == 1 else "notebooks"
    number = f"{len(differences)} differences" if len(differences) > 1 else "1 difference"
    return f"compared {notebooks} {noun}: {number if differences else 'no difference'}"
