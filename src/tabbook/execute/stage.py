"""The execution stage: find out what is not in the store, have it executed, and say what was done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tabbook.config import Config
from tabbook.environments import Environment, make_environments
from tabbook.errors import Diagnostic
from tabbook.execute.progress import Progress
from tabbook.execute.store import OutputStore
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
    from tabbook.execute.running import Results, run_tasks  # noqa: PLC0415 - Jupyter is loaded only if something runs

    run_tasks(config, ready, environments, Results(store, summary, progress))
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
