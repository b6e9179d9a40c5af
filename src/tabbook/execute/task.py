"""What there is to execute: one task a page and framework, and whether its outputs are already there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tabbook.config import Config, Framework
from tabbook.document import CodeCell, Document
from tabbook.execute.key import Key, notebook_key
from tabbook.execute.store import OutputStore, PageState
from tabbook.pages import page_name, read_document
from tabbook.select import Selection, select

__all__ = ["Freshness", "Task", "find_tasks", "freshness"]

Freshness = Literal["fresh", "stale", "failed", "never"]


@dataclass(frozen=True)
class Task:
    """One framework's notebook of a page."""

    page: str
    document: Document
    framework: Framework
    selection: Selection
    key: Key

    @property
    def cells(self) -> list[CodeCell]:
        return [cell for _, cell in self.selection.code]

    def original(self, index: int) -> CodeCell:
        """Return the page's own cell behind the task's cell `index`."""
        cell = self.document.cells[self.selection.code[index][0]]
        assert isinstance(cell, CodeCell)
        return cell


def find_tasks(config: Config, pages: Sequence[Path], frameworks: Sequence[str]) -> Iterator[Task]:
    """Yield the tasks of pages in frameworks. Damaged pages and pages without code have none."""
    for path in pages:
        document = read_document(config, path)
        if document.damaged:
            continue
        for name in frameworks:
            selection = select(document, name, config.tabs)
            if selection is not None and selection.code:
                framework = config.frameworks[name]
                key = notebook_key(selection, framework, config)
                yield Task(page_name(config, path), document, framework, selection, key)


def freshness(task: Task, store: OutputStore) -> tuple[Freshness, PageState]:
    """Tell whether the store holds the task's outputs, and what is known of the page."""
    state = store.state(task.framework.name, task.page)
    if store.load(task.key.digest) is not None:
        return "fresh", state
    if state.failed_key == task.key.digest:
        return "failed", state
    return ("stale" if state.key else "never"), state
