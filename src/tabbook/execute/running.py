"""Run tasks in kernels and keep their outputs, the moment that each is finished."""

from __future__ import annotations

import asyncio
import os
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tabbook.config import Config
from tabbook.environments import Environment
from tabbook.execute.failure import failure_letter
from tabbook.execute.kernel import CellFailure, KernelSettings, run_cells
from tabbook.execute.launch import Launcher
from tabbook.execute.normalise import machine_paths, normalise_outputs
from tabbook.execute.progress import Progress
from tabbook.execute.provenance import cpu_model, environment_versions, execution_date
from tabbook.execute.stage import Summary
from tabbook.execute.store import OutputStore, Record
from tabbook.execute.task import Task

__all__ = ["Results", "run_tasks"]

_LONGEST_PATH = 80


@dataclass
class Results:
    """Where results go: the store, the summary, and the screen."""

    store: OutputStore
    summary: Summary
    progress: Progress

    def finished(self, task: Task, record: Record, seconds: float) -> None:
        self.store.save(task.key, record)
        state = self.store.state(task.framework.name, task.page)
        state = replace(state, key=task.key.digest, seconds=seconds, failed_key="", failure=None)
        self.store.note(task.framework.name, task.page, state)
        self.summary.executed += 1
        self.summary.cells += len(record.cells)
        self._count(task, seconds)
        self.progress.done(task.page, task.framework.title, seconds)

    def failed(self, task: Task, failure: CellFailure, seconds: float) -> None:
        diagnostic = failure_letter(task, failure)
        state = self.store.state(task.framework.name, task.page)
        fields = {name: getattr(diagnostic, name) for name in diagnostic.__dataclass_fields__}
        self.store.note(task.framework.name, task.page, replace(state, failed_key=task.key.digest, failure=fields))
        self.summary.failures.append(diagnostic)
        self.summary.failed += 1
        self._count(task, seconds)
        self.progress.failed(task.page, task.framework.title, diagnostic)

    def _count(self, task: Task, seconds: float) -> None:
        total = self.summary.seconds.get(task.framework.name, 0.0)
        self.summary.seconds[task.framework.name] = total + seconds


def run_tasks(config: Config, tasks: Sequence[Task], environments: Mapping[str, Environment], results: Results) -> None:
    """Run tasks, as many at a time as there are workers; each result is kept as soon as it is there."""
    asyncio.run(_run_all(config, tasks, environments, results))


async def _run_all(
    config: Config, tasks: Sequence[Task], environments: Mapping[str, Environment], results: Results
) -> None:
    with _scratch_folder() as folder, results.progress.showing(len(tasks)):
        launcher = Launcher(config, environments, folder, results.progress.line)
        slots = asyncio.Semaphore(launcher.workers)

        async def run(task: Task) -> None:
            async with slots:
                results.progress.start(task.page, task.framework.title)
                await _run_task(config, task, await launcher.settings(task), results)

        try:
            # Unlike `gather`, a group waits for the kernels of all its tasks to be ended, whatever ends it.
            async with asyncio.TaskGroup() as group:
                for task in tasks:
                    group.create_task(run(task))
        except BaseExceptionGroup as errors:  # such as a full disk
            raise errors.exceptions[0] from None
        finally:
            await launcher.close()


@contextmanager
def _scratch_folder() -> Iterator[Path]:
    """Make a folder for a while; its path is short, since a socket's name may have 107 characters."""
    place = "/tmp" if len(tempfile.gettempdir()) > _LONGEST_PATH else None
    with tempfile.TemporaryDirectory(prefix="tb-", dir=place, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


async def _run_task(config: Config, task: Task, settings: KernelSettings, results: Results) -> None:
    began = time.monotonic()
    sources = task.key.parts["cells"]
    with _scratch_folder() as scratch:
        try:
            outputs = await run_cells(sources, settings, scratch)
        except CellFailure as failure:
            results.failed(task, failure, time.monotonic() - began)
            return
        libraries = [settings.python.parents[1], Path(sysconfig.get_path("stdlib"))]
        paths = machine_paths([scratch / "work", scratch, config.root, *libraries], Path.home())
    seconds = time.monotonic() - began
    clean = [normalise_outputs(cell, task.framework.noise, paths) for cell in outputs]
    provenance = {
        "date": execution_date(os.environ),
        "duration": round(seconds, 3),
        "device": cpu_model(),
        "versions": environment_versions(settings.python, task.framework.packages),
    }
    results.finished(task, Record(tuple(zip(sources, clean, strict=True)), provenance), seconds)
