"""The execution stage: find out what is not in the store, execute that, and put it there."""

from __future__ import annotations

import asyncio
import os
import platform
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from tabbook.config import Config
from tabbook.environments import Environment, make_environments
from tabbook.errors import Diagnostic
from tabbook.execute.failure import failure_letter
from tabbook.execute.kernel import CellFailure, KernelSettings, run_cells
from tabbook.execute.key import data_files
from tabbook.execute.normalise import normalise_outputs
from tabbook.execute.progress import Progress
from tabbook.execute.store import OutputStore, Record
from tabbook.execute.task import Task, find_tasks
from tabbook.pages import read_document

__all__ = ["Summary", "execute_pages"]

_LONGEST_PATH = 80


@dataclass
class Summary:
    """What an execution did. `seconds` are kernel seconds by framework."""

    executed: int = 0
    reused: int = 0
    failed: int = 0
    cells: int = 0  # of the executed notebooks
    failures: list[Diagnostic] = field(default_factory=list)  # of failed cells and of pages that cannot be executed
    missing: dict[str, str] = field(default_factory=dict)  # framework → why it has no environment
    unexecuted: int = 0  # notebooks left alone because their framework has no environment
    seconds: dict[str, float] = field(default_factory=dict)

    def text(self) -> str:
        """Return the closing lines.

        >>> print(Summary(executed=1, reused=3, cells=5, seconds={"jax": 2.04}).text())
        executed 1 notebook (5 cells), reused 3, failed 0; jax 2.0 s
        """
        noun = "notebook" if self.executed == 1 else "notebooks"
        cells = "1 cell" if self.cells == 1 else f"{self.cells} cells"
        line = f"executed {self.executed} {noun} ({cells}), reused {self.reused}, failed {self.failed}"
        line += f", not executed {self.unexecuted}" if self.unexecuted else ""
        times = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.seconds.items())
        return f"{line}; {times}" if times else line


def execute_pages(
    config: Config, pages: Sequence[Path], frameworks: Sequence[str], store: OutputStore, progress: Progress
) -> Summary:
    """Bring the store up to date for `pages` in `frameworks`; only what is not in it is executed."""
    summary = Summary(failures=_damaged(config, pages))
    waiting: list[Task] = []
    for task in find_tasks(config, pages, frameworks):
        if _reuse(task, store):
            summary.reused += 1
        else:
            waiting.append(task)
    progress.damaged(store.dropped)
    if not waiting:
        return summary
    environments = _environments(config, waiting, summary, progress)
    ready = [task for task in waiting if task.framework.name in environments]
    summary.unexecuted = len(waiting) - len(ready)
    ready.sort(key=lambda task: -store.state(task.framework.name, task.page).seconds)  # longest first
    asyncio.run(_run_all(config, ready, environments, _Results(store, summary, progress)))
    return summary


def _damaged(config: Config, pages: Sequence[Path]) -> list[Diagnostic]:
    """Return a diagnostic for each page that is left alone because its cells are not certain."""
    found = []
    for document in (read_document(config, path) for path in pages):
        if document.damaged:
            line = next((fault.line for fault in document.diagnostics if fault.severity == "error"), 1)
            hint = f"tabbook check {document.path} says what to correct"
            message = "The page was not executed: from this line on it is not certain what its cells are."
            found.append(Diagnostic(document.path, line, "not-executed", "error", message, hint))
    return found


def _reuse(task: Task, store: OutputStore) -> bool:
    """Tell whether the store has the outputs, and note that they are this page's (it may have been renamed)."""
    if store.load(task.key.digest) is None:
        return False
    state = store.state(task.framework.name, task.page)
    if state.key != task.key.digest or state.failure:
        store.note(task.framework.name, task.page, replace(state, key=task.key.digest, failed_key="", failure=None))
    return True


def _environments(
    config: Config, tasks: Sequence[Task], summary: Summary, progress: Progress
) -> dict[str, Environment]:
    wanted = {task.framework.name: task.framework.requirements for task in tasks}
    made = make_environments(wanted, config.environments_dir, progress.line)
    ready = {name: result for name, result in made.items() if isinstance(result, Environment)}
    summary.missing = {name: made[name].reason for name in made if name not in ready}  # type: ignore[union-attr]
    return ready


@dataclass
class _Results:
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


async def _run_all(
    config: Config, tasks: Sequence[Task], environments: Mapping[str, Environment], results: _Results
) -> None:
    """Run tasks, as many at a time as there are workers."""
    cores = len(os.sched_getaffinity(0))
    workers = int(config["tabbook"]["workers"]) or cores
    slots = asyncio.Semaphore(workers)
    threads = max(1, cores // workers)

    async def run(task: Task) -> None:
        async with slots:
            results.progress.start(task.page, task.framework.title)
            settings = _settings(config, task, environments[task.framework.name], threads)
            await _run_task(config, task, settings, results)

    with results.progress.showing(len(tasks)):
        try:
            # Unlike `gather`, a group waits for the kernels of all its tasks to be ended, whatever ends it.
            async with asyncio.TaskGroup() as group:
                for task in tasks:
                    group.create_task(run(task))
        except BaseExceptionGroup as errors:  # such as a full disk
            raise errors.exceptions[0] from None


async def _run_task(config: Config, task: Task, settings: KernelSettings, results: _Results) -> None:
    began = time.monotonic()
    sources = task.key.parts["cells"]
    # On a few systems the folder for temporary files has a name that is too long for sockets.
    place = "/tmp" if len(tempfile.gettempdir()) > _LONGEST_PATH else None
    with tempfile.TemporaryDirectory(prefix="tb-", dir=place, ignore_cleanup_errors=True) as scratch:
        try:
            outputs = await run_cells(sources, settings, Path(scratch))
        except CellFailure as failure:
            results.failed(task, failure, time.monotonic() - began)
            return
        paths = {
            f"{scratch}/work": "…",
            str(settings.python.parents[1]): "…",
            str(config.root): "…",
            str(Path.home()): "~",
        }
    seconds = time.monotonic() - began
    clean = [normalise_outputs(cell, task.framework.noise, paths) for cell in outputs]
    provenance = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "duration": round(seconds, 3),
        "device": platform.processor() or platform.machine(),
        "versions": {"python": task.key.parts["python"]},
    }
    results.finished(task, Record(tuple(zip(sources, clean, strict=True)), provenance), seconds)


def _settings(config: Config, task: Task, environment: Environment, threads: int) -> KernelSettings:
    library = config.root / config["tabbook"]["library"]
    caps = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    environ = {
        **os.environ,
        **caps,
        **dict(task.framework.environ),
        "PYTHONPATH": str(library.parent),
        "PYTHONHASHSEED": "0",
        "PYTHONWARNINGS": "ignore::DeprecationWarning",
    }
    return KernelSettings(
        python=environment.python,
        environ=environ,
        prelude=task.key.parts["seed"],
        timeout=float(config["tabbook"]["cell_timeout"]),
        page_folder=_within(config, (config.source_dir / task.page).parent),
        files={_within(config, path): path for path in _files_beside(config)},
    )


def _files_beside(config: Config) -> set[Path]:
    """Return the files and folders that cells find beside them: what config.ini calls `resources` and `data`."""
    names = config["build"]["resources"].split()
    return data_files(config) | {config.source_dir / name for name in names if (config.source_dir / name).exists()}


def _within(config: Config, path: Path) -> str:
    """Return where a file of the project lies in a notebook's working folder, so that `../img` stays what it is."""
    path = Path(os.path.normpath(path))
    for folder in (config.root, config.source_dir):
        if path.is_relative_to(folder):
            return str(path.relative_to(folder))
    return path.name
