"""The execution stage: find out what is not in the store, have it executed, and say what was done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tabbook.config import Config
from tabbook.errors import Diagnostic
from tabbook.execute.backends import HERE, Backend
from tabbook.execute.progress import Progress
from tabbook.execute.results import Results
from tabbook.execute.shard import own_share
from tabbook.execute.store import OutputStore
from tabbook.execute.summary import Summary
from tabbook.execute.task import Task, find_tasks, note_reuse
from tabbook.pages import read_document

__all__ = ["execute_pages"]


def execute_pages(
    config: Config,
    pages: Sequence[Path],
    frameworks: Sequence[str],
    store: OutputStore,
    progress: Progress,
    backend: Backend = HERE,
) -> Summary:
    """Bring the store up to date for `pages` in `frameworks`; only what is not in it is executed, by the backend."""
    summary = Summary(failures=_damaged(config, pages))
    waiting: list[Task] = []
    every = list(find_tasks(config, pages, frameworks, backend.gpus))
    for task in every:
        if (key := task.stored(store)) is not None:
            note_reuse(task, key, store)
            summary.reused += 1
        else:
            waiting.append(task)
    progress.damaged(store.dropped)
    own = own_share(backend.shard, every, waiting, store)
    if backend.shard.count > 1:
        summary.shard, summary.others = str(backend.shard), len(waiting) - len(own)
    if own:
        backend.execute(config, own, Results(store, summary, progress))
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
