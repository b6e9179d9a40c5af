"""The section `book`: all contestants build the real book, cold and after small changes, taking turns."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.book import REPOSITORY, TABBOOK, Book, copy_of_the_book
from benchmarks.cells import CellTimes, notebook_digests, read_times
from benchmarks.contestants import CONTESTANTS, SLOW, Contestant, Ordinary, Ours, note_cells
from benchmarks.decision import decision_times
from benchmarks.kernels import clean_environ, make_kernels
from benchmarks.processes import CommandError, Usage, measure

__all__ = ["CHANGES", "WARM", "compare_on_the_book", "memory_on_the_book", "round_of_builds"]

CHANGES: dict[str, Callable[[Book], None]] = {
    "cold": lambda _: None,
    "no change": lambda _: None,
    "one prose line": Book.change_prose,
    "one code cell": Book.change_code,
}
"""What an author does before each build of a round."""

WARM = "store empty, compile cache warm"
"""A further build of ours, as after `store gc` or with other versions of the pages."""

Say = Callable[[str], None]


def compare_on_the_book(rounds: int, slow_rounds: int, say: Say) -> Iterator[dict[str, Any]]:
    """Yield after each round all that was measured so far: {"rounds": [...]}, a round as in `round_of_builds`.

    The slow contestants have a turn in the first `slow_rounds` rounds only, and so has the measure of the cells' own
    cost: it takes as long as ordinary kernels do, and hardly varies.
    """
    found = []
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        with tempfile.TemporaryDirectory(prefix="tb-bench-") as folder:
            found.append(round_of_builds(Path(folder), number < slow_rounds, say))
        yield {"rounds": found}


def round_of_builds(folder: Path, slow: bool, say: Say) -> dict[str, Any]:
    """Build with each contestant after each change, in turns; those that are slow only if it is wanted.

    Returns:
        `builds`: contestant → change → cost; `notebooks`: notebook → what ours took in all and what its cells took of
        it, cold; `servers`: what the fork servers take by themselves; `decision`: how long ours takes to find nothing
        to do; `failed`: contestant → the change at which it failed, which none may that a bar is measured by; `cells`,
        if slow: notebook → its cells' own cost, in ordinary kernels that have made the imports.
    """
    contestants = {name: _contestant(name, folder) for name in CONTESTANTS if slow or name not in SLOW}
    ours = contestants["ours"]
    assert isinstance(ours, Ours)
    note_cells(ours.book, folder / "cells")
    digests = notebook_digests(ours.book.notebooks(folder / "digests"))
    builds: dict[str, dict[str, Any]] = {name: {} for name in contestants}
    failed: dict[str, str] = {}
    found: dict[str, Any] = {"builds": builds, "failed": failed}
    for change, edit in CHANGES.items():
        for name, contestant in contestants.items():
            if name in failed or not (change == "cold" or contestant.remembers):
                continue
            try:
                builds[name][change] = _changed(contestant, edit)
                say(f"  {change}, {name}: {_said(builds[name][change])}")
            except CommandError as error:
                if name not in SLOW:
                    raise
                failed[name] = change
                say(f"  {change}, {name}: failed: {error}")
        if change == "cold":
            found["notebooks"] = _durations(ours.book, read_times(folder / "cells", digests))
            found["decision"] = decision_times(ours.book)
            found["servers"] = _servers(ours.book)
            say(f"  the fork servers: {_said(found['servers'])}")
            if slow:
                found["cells"] = _own_cost(folder / "own", digests)
                say(f"  the cells' own: {sum(each['cpu'] for each in found['cells'].values()):.1f} CPU s")
    ours.forget()
    builds["ours"][WARM] = _cost(ours.build())
    say(f"  {WARM}: {_said(builds['ours'][WARM])}")
    return found


def memory_on_the_book(say: Say) -> dict[str, Any]:
    """Return contestant → the peak of its memory in a cold build, looked at twice a second, in bytes."""
    found = {}
    for name in CONTESTANTS:
        with tempfile.TemporaryDirectory(prefix="tb-bench-") as folder:
            contestant = _contestant(name, Path(folder))
            contestant.convert()
            found[name] = contestant.build(watch=0.5).memory
            say(f"  {name}: {found[name] / 2**20:.0f} MiB")
    return {"peak": found}


def _contestant(name: str, folder: Path) -> Contestant:
    book = copy_of_the_book(folder / name)
    return CONTESTANTS[name](book, make_kernels(book, folder / f"{name}-kernels"))


def _changed(contestant: Contestant, edit: Callable[[Book], None]) -> dict[str, float]:
    """Return what a build costs after a change."""
    edit(contestant.book)
    contestant.convert()
    return _cost(contestant.build())


def _own_cost(folder: Path, digests: dict[str, tuple[str, ...]]) -> dict[str, dict[str, float]]:
    """Return by notebook what its cells cost in an ordinary kernel that has made the imports."""
    book = copy_of_the_book(folder / "book")
    cells = folder / "cells"
    cells.mkdir()
    contestant = Ordinary(book, make_kernels(book, folder / "kernels"), cells)
    contestant.convert()
    contestant.build()
    times = read_times(cells, digests)
    return {name: {"wall": sum(each.wall), "cpu": sum(each.cpu)} for name, each in times.items()}


def _durations(book: Book, times: dict[str, CellTimes]) -> dict[str, dict[str, float]]:
    """Return by notebook what ours took for it, and what its cells took of that."""
    done = subprocess.run(
        [*TABBOOK, "status", "--format", "json"], cwd=book.root, env=clean_environ(), capture_output=True, check=True
    )
    seconds = {f"{row['page']} · {row['framework']}": row["seconds"] for row in json.loads(done.stdout)}
    return {
        name: {"duration": seconds[name], "wall": sum(each.wall), "cpu": sum(each.cpu)} for name, each in times.items()
    }


def _servers(book: Book) -> dict[str, Any]:
    """Return what the fork servers take by themselves: wall until the last is ready, and CPU."""
    usage = measure([sys.executable, "-m", "benchmarks.servers", book.root], REPOSITORY, clean_environ())
    answer = json.loads(usage.output.splitlines()[-1])
    return {"wall": max(answer["ready"].values()), **answer}


def _cost(usage: Usage) -> dict[str, float]:
    return {"wall": round(usage.wall, 3), "cpu": round(usage.cpu, 3)}


def _said(cost: dict[str, Any]) -> str:
    return f"{cost['wall']:.2f} s, {cost['cpu']:.2f} CPU s"
