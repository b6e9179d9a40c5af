"""One part of the work for each of several machines that do not talk to each other, alike in duration.

Every execution records how long it took, so a later part would cut otherwise than an earlier one. Of parts that use one
store, the first to start therefore decides for all: its plan lies in the store, as `plans/<digest>.json`. Parts that
have copies of one store of their own make the same plan.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tabbook.execute.store import OutputStore
    from tabbook.execute.task import Task

__all__ = ["PLANS", "Shard", "cut", "own_share", "parse_shard"]

PLANS = "plans"
"""The folder of a store in which the plans lie."""

Plan = Mapping[str, int]


@dataclass(frozen=True)
class Shard:
    """Part `number` of `count`; the only one is everything."""

    number: int = 1
    count: int = 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def parse_shard(text: str) -> Shard:
    """Return the part that is meant, for argparse.

    >>> parse_shard("2/3")
    Shard(number=2, count=3)
    """
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text, re.ASCII)
    shard = Shard(int(match[1]), int(match[2])) if match else Shard(0, 0)
    if not 1 <= shard.number <= shard.count:
        raise argparse.ArgumentTypeError(f"{text}: not a part of the work; write 1/3, 2/3 and 3/3 for three parts")
    return shard


def own_share(shard: Shard, every: Iterable[Task], waiting: Sequence[Task], store: OutputStore) -> list[Task]:
    """Return those of the waiting tasks that are a part's own.

    `every` is all tasks, executed or not: it tells which parts belong together.
    """
    if shard.count == 1 or not waiting:
        return list(waiting)
    plan = _agreed_plan(shard, every, waiting, store)
    return [task for task in waiting if _number(_name(task), plan, shard.count) == shard.number]


def cut(seconds: Mapping[str, float], count: int) -> dict[str, int]:
    """Give each name a part from 1 to `count`: the longest first, always to the part that has least to do.

    >>> cut({"a": 3.0, "b": 2.0, "c": 2.0, "d": 1.0}, 2)
    {'a': 1, 'b': 2, 'c': 2, 'd': 1}
    """
    parts = [(0.0, number) for number in range(1, count + 1)]
    plan = {}
    for name in sorted(seconds, key=lambda name: (-seconds[name], name)):
        load, plan[name] = heapq.heappop(parts)
        heapq.heappush(parts, (load + seconds[name], plan[name]))
    return plan


def _name(task: Task) -> str:
    """Return what a task is called in plans: the same on a machine with GPUs and on one without."""
    return task.keys[0].digest


def _number(name: str, plan: Plan, count: int) -> int:
    """Return the part that a name falls to; one that nobody has planned, such as of a damaged entry, by its digest."""
    return plan.get(name) or int(name, 16) % count + 1


def _agreed_plan(shard: Shard, every: Iterable[Task], waiting: Sequence[Task], store: OutputStore) -> Plan:
    from tabbook.execute.key import parts_digest  # noqa: PLC0415 - the command line needs only `parse_shard`
    from tabbook.execute.waiting import expected_seconds  # noqa: PLC0415

    digest = parts_digest([shard.count, sorted({_name(task) for task in every})])
    path = store.folder / PLANS / f"{digest}.json"
    agreed = _read(path, shard.count)
    if agreed is None:
        expected = zip(waiting, expected_seconds(waiting, store), strict=True)
        # Where nothing is known of any, all are taken to be alike.
        own = cut({_name(task): seconds or 1.0 for task, seconds in expected}, shard.count)
        _keep(path, own)
        agreed = _read(path, shard.count) or own
    return agreed


def _read(path: Path, count: int) -> Plan | None:
    """Return the plan in a file; None if there is none, or it is damaged."""
    try:
        plan = json.loads(path.read_bytes())
        return {str(name): int(number) for name, number in plan.items() if 1 <= number <= count}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def _keep(path: Path, plan: Plan) -> None:
    """Write a plan, unless another part has been faster; nobody ever sees half of one."""
    import tempfile  # noqa: PLC0415 - as in _agreed_plan

    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(plan, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        if _read(path, 2**31) is None:
            path.unlink(missing_ok=True)  # a damaged one
        try:
            os.link(name, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links: of two parts that start at once, the last decides
            Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
