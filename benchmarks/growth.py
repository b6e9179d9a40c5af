"""The sections `growth-N`: a synthetic book of N notebooks of one framework, with tiny cells and distinct code.

What an import and a kernel's start cost shows best where there is nothing else.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.book import REPOSITORY, cell, synthetic_book
from benchmarks.cells import CellTimes, notebook_digests, read_times
from benchmarks.contestants import Ordinary, Ours, note_cells
from benchmarks.decision import decision_times
from benchmarks.kernels import make_kernels
from tabbook.config import load_config

__all__ = ["grow", "pages_of"]

_WATCH = 2.0  # seconds between two looks at memory: about 2 per cent of a core


def pages_of(count: int, module: str) -> dict[str, str]:
    """Return so many pages; the first cell of each makes the import, and no two have the same code."""
    return {
        f"page-{number:04}": f"# ページ{number}\n\n小さなセルだけのページである。\n\n"
        + cell(f"from d2l import {module} as d2l")
        + cell(f"x = d2l.arange(8) + {number}\nd2l.reduce_sum(x)")
        + cell(f"print(d2l.matmul(d2l.ones((4, 4)), d2l.ones((4, 4)))[0, 0], {number})")
        for number in range(count)
    }


def grow(count: int, ordinary: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Build a book of `count` notebooks cold, and again unchanged; with ordinary kernels, too, where that is wanted.

    The framework is the first of the real book. The cells' own time is that of all cells but the import: in ordinary
    kernels, or in ours where there are no others (`own_from` says which).
    """
    tab = load_config(REPOSITORY).tabs[0]
    module = load_config(REPOSITORY).frameworks[tab].module
    with tempfile.TemporaryDirectory(prefix="tb-bench-") as folder:
        place = Path(folder)
        book = synthetic_book(place / "ours", pages_of(count, module), [tab])
        kernels = make_kernels(book, place / "kernels")
        digests = notebook_digests(book.notebooks(place / "digests"))
        note_cells(book, place / "cells")
        ours = Ours(book, kernels)
        found: dict[str, Any] = {"count": count, "framework": tab, "own_from": "ours"}
        found["ours"] = _cold(ours, say)
        found["own"] = _own(read_times(place / "cells", digests))
        found["no change"] = decision_times(book)
        say(f"  no change: {found['no change']}")
        if ordinary:
            cells = place / "ordinary-cells"
            cells.mkdir()
            found["ordinary"] = _cold(Ordinary(book, kernels, cells, imports=False), say)
            found["own"], found["own_from"] = _own(read_times(cells, digests)), "ordinary"
    return found


def _cold(contestant: Ours | Ordinary, say: Callable[[str], None]) -> dict[str, float]:
    contestant.convert()
    usage = contestant.build(watch=_WATCH)
    say(f"  {contestant.title}: {usage.wall:.1f} s, {usage.cpu:.1f} CPU s, {usage.memory / 2**20:.0f} MiB")
    return {"wall": round(usage.wall, 3), "cpu": round(usage.cpu, 3), "memory": usage.memory}


def _own(times: dict[str, CellTimes]) -> dict[str, float]:
    """Return the seconds of all cells but the first of each notebook, which makes the import."""
    return {
        "wall": sum(sum(each.wall[1:]) for each in times.values()),
        "cpu": sum(sum(each.cpu[1:]) for each in times.values()),
    }
