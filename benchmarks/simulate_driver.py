"""What a run costs the driver for each notebook: to decide, to place and to keep; nothing is executed here.

All of it is computing, and is measured as CPU seconds: those do not depend on who else uses the machine. Only writing
to the disk is waiting.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Any

from benchmarks.book import REPOSITORY, Book
from benchmarks.kernels import clean_environ
from benchmarks.simulate_runs import book_of
from tabbook.config import Config, load_config
from tabbook.execute.schedule import Demand, Node, Placed, Scheduler
from tabbook.execute.store import OutputStore
from tabbook.execute.task import find_tasks
from tabbook.pages import find_pages

__all__ = ["cpu_seconds", "measure_driver"]

_ROUNDS = 5
_PAGES = 125
_FRAMEWORKS = ("pytorch", "mxnet", "jax", "tensorflow")


def measure_driver() -> dict[str, Any]:
    """Return the driver's seconds for a notebook, and those of the command itself."""
    own = load_config(REPOSITORY)
    with book_of("real") as book:
        _multiply(book, _PAGES)
        config, pages, store = book.config, find_pages(book.config), OutputStore(book.root / "empty")
        tasks = list(find_tasks(config, pages, config.tabs))
        decide = min(
            cpu_seconds(lambda: [task.stored(store) for task in find_tasks(config, pages, config.tabs)])
            for _ in range(_ROUNDS)
        )
    status = [sys.executable, "-m", "tabbook", "status", "--project", str(REPOSITORY)]
    few = len(list(find_tasks(own, find_pages(own), own.tabs)))

    def command() -> None:
        subprocess.run(status, check=True, capture_output=True, env=clean_environ())

    alone, many = (min(_placing(nodes) for _ in range(_ROUNDS)) for nodes in (1, 100))
    return {
        "notebooks": len(tasks),
        "decide": decide / len(tasks),
        "command": max(0.0, min(cpu_seconds(command) for _ in range(_ROUNDS)) - few * decide / len(tasks)),
        "place": alone,
        "place_per_node": max(0.0, many - alone) / 99,
        **_keeping(own),
    }


def cpu_seconds(step: Callable[[], object]) -> float:
    """Return the CPU seconds of a step, those of the processes included that it has waited for."""
    before = _used()
    step()
    return _used() - before


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + usage.ru_utime + usage.ru_stime


def _keeping(config: Config) -> dict[str, float]:
    """Return the seconds for saving a notebook's entry and state, waiting for the disk included, and for loading it.

    Of the walls that of the fastest quarter is taken, since others use the machine.
    """
    store = OutputStore(config.store_dir)
    tasks = list(find_tasks(config, find_pages(config), config.tabs))
    states = [(task, store.state(task.framework.name, task.page)) for task in tasks]
    known = [(task, state, record) for task, state in states if (record := store.load(state.key)) is not None]
    if not known:
        raise LookupError("the repository's own store has none of the notebooks: run `make execute` first")
    kept, loaded = [], []
    for _ in range(_ROUNDS):
        with tempfile.TemporaryDirectory(prefix="tb-sim-", dir=store.folder.parent) as folder:
            other = OutputStore(Path(folder))
            for task, state, record in known:
                began = time.perf_counter()
                other.save(task.key, record)
                other.note(task.framework.name, task.page, state)
                kept.append(time.perf_counter() - began)
                loaded.append(cpu_seconds(partial(other.load, task.key.digest)))
    return {"keep": quantiles(kept)[0], "load": quantiles(loaded)[0]}


def _multiply(book: Book, copies: int) -> None:
    """Let the pages with code stand in a book so many times, by turns."""
    with_code = [path for path in sorted((book.root / "docs").rglob("*.md")) if "{.python" in path.read_text("utf-8")]
    for number in range(copies):
        source = with_code[number % len(with_code)]
        (source.parent / f"{source.stem}-{number}.md").write_bytes(source.read_bytes())


def _placing(nodes: int, count: int = 2000) -> float:
    """Return the seconds that a notebook's placing takes the scheduler; 12 demands, 8 slots and 4 GPUs a node."""
    chance = random.Random(0)
    scheduler: Scheduler[int] = Scheduler([Node(f"n{number}", 8, 0, tuple("0123")) for number in range(nodes)])
    for item in range(count):
        scheduler.add(
            item, Demand(gpus=chance.choice((0, 0, 1, 2)), framework=chance.choice(_FRAMEWORKS)), chance.random()
        )
    running: list[Placed[int]] = []
    began = time.process_time()
    while len(scheduler) or running:
        while (placed := scheduler.next()) is not None:
            running.append(placed)
        scheduler.stranded()  # as a run does each time
        scheduler.release(running.pop(chance.randrange(len(running))))
    return (time.process_time() - began) / count
