"""The execution stage: find out what is not in the store, have it executed, and say what was done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tabbook.config import Config
from tabbook.errors import Diagnostic
from tabbook.execute.local import execute_here
from tabbook.execute.progress import Progress
from tabbook.execute.results import Results
from tabbook.execute.store import OutputStore
from tabbook.execute.summary import Summary
from tabbook.execute.task import Task, find_tasks, note_reuse
from tabbook.pages import read_document

__all__ = ["execute_pages"]


Execute = Callable[[Config, Sequence[Task], Results], None]


def execute_pages(
    config: Config,
    pages: Sequence[Path],
    frameworks: Sequence[str],
    store: OutputStore,
    progress: Progress,
    execute: Execute = execute_here,
) -> Summary:
    """Bring the store up to date for `pages` in `frameworks`; only what is not in it is executed, by `execute`."""
    summary = Summary(failures=_damaged(config, pages))
    waiting: list[Task] = []
    for task in find_tasks(config, pages, frameworks):
        if (key := task.stored(store)) is not None:
            note_reuse(task, key, store)
            summary.reused += 1
        else:
            waiting.append(task)
    progress.damaged(store.dropped)
    if not waiting:
        return summary
    execute(config, waiting, Results(store, summary, progress))
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
