"""What a task that is to be executed demands, and how long it is expected to take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from tabbook.config import Config
from tabbook.execute.schedule import Demand
from tabbook.execute.store import OutputStore
from tabbook.execute.task import Task

__all__ = ["Waiting", "expected_seconds", "waiting_tasks"]


@dataclass(frozen=True)
class Waiting:
    """A task, what it demands, and how many seconds it is expected to take."""

    task: Task
    demand: Demand
    seconds: float


def waiting_tasks(config: Config, tasks: Sequence[Task], store: OutputStore) -> list[Waiting]:
    """Return tasks with what they demand.

    Memory is demanded only where the book says how much a notebook may use; else each slot of a machine has its part.
    """
    memory = int(float(config["tabbook"]["memory"]) * 2**30)
    seconds = expected_seconds(tasks, store)
    return [Waiting(task, _demand(task, memory), expected) for task, expected in zip(tasks, seconds, strict=True)]


def _demand(task: Task, memory: int) -> Demand:
    gpus = task.gpus if task.key.parts["device"] == "gpu" else 0
    return Demand(1, memory, gpus, task.framework.name)


def expected_seconds(tasks: Sequence[Task], store: OutputStore) -> list[float]:
    """Return how long each task took the last time; for one that was never run, the mean of its framework's others."""
    recorded = [store.state(task.framework.name, task.page).seconds for task in tasks]
    known = defaultdict(list)
    for task, seconds in zip(tasks, recorded, strict=True):
        if seconds:
            known[task.framework.name].append(seconds)
    usual = fmean(seconds for each in known.values() for seconds in each) if known else 0.0
    means = {name: fmean(each) for name, each in known.items()}
    return [seconds or means.get(task.framework.name, usual) for task, seconds in zip(tasks, recorded, strict=True)]
