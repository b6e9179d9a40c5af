"""Real runs on this machine, traced: of the book, and of one whose cells only wait."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.book import REPOSITORY, Book, cell, copy_of_the_book, synthetic_book
from benchmarks.kernels import clean_environ
from benchmarks.simulate_trace import trace
from tabbook.config import load_config
from tabbook.execute.store import OutputStore
from tabbook.execute.task import find_tasks
from tabbook.pages import find_pages

__all__ = ["book_of", "run_here", "run_on_ray"]

_SLEEPING = 120
_SLEEPERS = ("pytorch", "mxnet")


@contextmanager
def book_of(kind: str, workers: int = 0) -> Iterator[Book]:
    """Make a book for a while: a copy of the `real` one, or one of `sleepers`.

    The cells of the latter compute nothing: what they take does not depend on who else uses the cores.
    """
    with tempfile.TemporaryDirectory(prefix="tb-sim-") as folder:
        root = Path(folder) / "book"
        book = copy_of_the_book(root) if kind == "real" else synthetic_book(root, _sleeping_pages(), _SLEEPERS)
        config = root / "config.ini"
        text = config.read_text(encoding="utf-8")
        text += "" if "[tabbook]" in text else "\n[tabbook]\n"
        config.write_text(f"{text}workers = {workers}\n", encoding="utf-8")
        if int(book.config["tabbook"]["workers"]) != workers:
            raise ValueError(f"{REPOSITORY / 'config.ini'}: [tabbook] is not its last section")
        yield book


def run_here(kind: str, workers: int, again: bool = False) -> dict[str, Any]:
    """Execute a book into a new store; `again`: a second time, when durations are recorded but no outputs are kept."""
    with book_of(kind, workers) as book:
        store = book.root / "store"
        found = trace(book, store)
        if again:
            for entries in store.glob("[0-9a-f][0-9a-f]"):
                shutil.rmtree(entries)
            found = trace(book, store)
        return {**found, "stored": _sizes(book, store)}


def run_on_ray(kind: str, nodes: int, lose_after: int = 0) -> dict[str, Any]:
    """Execute a book on simulated nodes of one CPU each, all on this machine; they have their environments.

    The last node is lost when so many notebooks are in the store; the trace says at what time (`lost`).
    """
    from tests.ray_for_tests import ray_nodes  # noqa: PLC0415 - Ray is needed here alone

    resources = [{"num_cpus": 1, "num_gpus": 0}] * nodes
    with book_of(kind) as book:
        cache, store = {"TABBOOK_CACHE": str(_cache(book.root / "cache"))}, book.root / "store"
        with ray_nodes(resources, {**clean_environ(), **cache}) as started:
            cluster, lost = started(), []

            def lose() -> None:
                while len(list(store.glob("[0-9a-f][0-9a-f]/*/outputs.json"))) < lose_after:
                    time.sleep(0.05)
                lost.append(time.time())
                cluster.kill_node(nodes - 1)

            if lose_after:
                threading.Thread(target=lose, daemon=True).start()
            found = trace(book, store, "--backend", "ray", "--ray-address", cluster.address, **cache)
            return {**found, "lost": lost[0] - found["epoch"] if lost else None}


def _sizes(book: Book, folder: Path) -> dict[str, int]:
    """Return the bytes that a store has of each notebook, by ``framework/page``."""
    config, store = book.config, OutputStore(folder)
    tasks = find_tasks(config, find_pages(config), config.tabs)
    entries = {f"{task.framework.name}/{task.page}": store.files(task.key.digest) or {} for task in tasks}
    return {name: sum(map(len, files.values())) for name, files in entries.items()}


def _sleeping_pages() -> dict[str, str]:
    """Return pages whose cell waits; in both frameworks for the same time."""
    chance = random.Random(0)
    pages = {}
    for number in range(_SLEEPING // len(_SLEEPERS)):
        source = f"import time\ntime.sleep({chance.lognormvariate(0, 0.8):.3f})  # page {number}"
        pages[f"page-{number}"] = "# 待つ\n\n" + "".join(cell(source, framework) for framework in _SLEEPERS)
    return pages


def _cache(folder: Path) -> Path:
    """Give nodes the environments that there are here, where they look for theirs."""
    from tabbook.execute.ray_machine import environment_folder  # noqa: PLC0415 - as above

    config = load_config(REPOSITORY)
    for name, framework in config.frameworks.items():
        place = environment_folder(framework.requirements, {"TABBOOK_CACHE": str(folder)})
        place.mkdir(parents=True)
        (place / name).symlink_to(os.path.realpath(config.environments_dir / name))
    return folder
