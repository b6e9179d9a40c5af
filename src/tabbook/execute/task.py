"""What there is to execute: one task a page and framework, and whether its outputs are already there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tabbook.config import Config, Framework
from tabbook.document import CodeCell, Document
from tabbook.execute.devices import gpus_here
from tabbook.execute.job import Job
from tabbook.execute.key import Key, notebook_keys
from tabbook.execute.marks import gpus_wanted
from tabbook.execute.store import OutputStore, PageState
from tabbook.pages import page_name, read_document
from tabbook.select import Selection, select

__all__ = ["Freshness", "Task", "find_tasks", "freshness", "note_reuse"]

Freshness = Literal["fresh", "stale", "failed", "never"]


@dataclass(frozen=True)
class Task:
    """One framework's notebook of a page.

    `keys` are those under which its outputs may be found, the best first; an execution here is kept under the last.
    `gpus` is how many GPUs its cells ask for.
    """

    page: str
    document: Document
    framework: Framework
    selection: Selection
    keys: tuple[Key, ...]
    gpus: int = 0

    @property
    def key(self) -> Key:
        return self.keys[-1]

    @property
    def job(self) -> Job:
        return Job(self.page, self.framework.name, tuple(self.key.parts["cells"]), self.key.parts["seed"])

    def stored(self, store: OutputStore) -> Key | None:
        """Return the best key under which the store has outputs."""
        return next((key for key in self.keys if store.load(key.digest) is not None), None)

    @property
    def cells(self) -> list[CodeCell]:
        return [cell for _, cell in self.selection.code]

    def original(self, index: int) -> CodeCell:
        """Return the page's own cell behind the task's cell `index`."""
        cell = self.document.cells[self.selection.code[index][0]]
        assert isinstance(cell, CodeCell)
        return cell


def _count_gpus() -> int:
    return len(gpus_here())


def find_tasks(
    config: Config, pages: Sequence[Path], frameworks: Sequence[str], gpus: Callable[[], int] = _count_gpus
) -> Iterator[Task]:
    """Yield the tasks of pages in frameworks. Damaged pages and pages without code have none.

    `gpus` tells how many one machine has at the most; it is asked only if cells ask for any.
    """
    for path in pages:
        document = read_document(config, path)
        if document.damaged:
            continue
        for name in frameworks:
            selection = select(document, name, config.tabs)
            if selection is not None and selection.code:
                framework = config.frameworks[name]
                keys = notebook_keys(selection, framework, config)
                wanted = gpus_wanted(keys[0].parts["cells"])
                if wanted and gpus() >= wanted:
                    keys = keys[:1]  # what was made without a GPU is not good enough here
                yield Task(page_name(config, path), document, framework, selection, keys, wanted)


def freshness(task: Task, store: OutputStore) -> tuple[Freshness, PageState]:
    """Tell whether the store holds the task's outputs, and what is known of the page."""
    state = store.state(task.framework.name, task.page)
    if task.stored(store) is not None:
        return "fresh", state
    if state.failed_key == task.key.digest:
        return "failed", state
    return ("stale" if state.key else "never"), state


def note_reuse(task: Task, key: Key, store: OutputStore) -> None:
    """Note that a page has the outputs under a key; they may have been another page's, or it had another name."""
    state = store.state(task.framework.name, task.page)
    if state.key != key.digest or state.failure:
        store.note(task.framework.name, task.page, replace(state, key=key.digest, failed_key="", failure=None))
