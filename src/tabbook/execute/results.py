"""Where results go: each is kept the moment that it is there."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tabbook.execute.failure import failure_letter
from tabbook.execute.job import CellFailure, Outcome
from tabbook.execute.marks import execution_marks, is_run
from tabbook.execute.progress import Progress
from tabbook.execute.store import OutputStore, Record
from tabbook.execute.summary import Summary
from tabbook.execute.task import Task, note_reuse

__all__ = ["Results"]


@dataclass
class Results:
    """Where results go: the store, the summary, and the screen."""

    store: OutputStore
    summary: Summary
    progress: Progress

    def take(self, task: Task, outcome: Outcome) -> None:
        """Keep what an execution gave."""
        total = self.summary.seconds.get(task.framework.name, 0.0)
        self.summary.seconds[task.framework.name] = total + outcome.seconds
        if outcome.failure:
            self._failed(task, outcome.failure)
        else:
            self._finished(task, outcome)

    def reused(self, task: Task) -> None:
        """Note that another build, or another page of this one, has executed the same meanwhile."""
        note_reuse(task, task.key, self.store)
        self.summary.reused += 1
        self.progress.reused(task.page, task.framework.title)

    def _finished(self, task: Task, outcome: Outcome) -> None:
        sources = task.key.parts["cells"]
        cells = tuple((source, list(outputs)) for source, outputs in zip(sources, outcome.outputs, strict=True))
        self.store.save(task.key, Record(cells, outcome.provenance))
        state = self.store.state(task.framework.name, task.page)
        state = replace(state, key=task.key.digest, seconds=outcome.seconds, failed_key="", failure=None)
        self.store.note(task.framework.name, task.page, state)
        self.summary.executed += 1
        self.summary.cells += len(cells)
        gpus = task.gpus if task.key.parts["device"] == "gpu" else 0
        lacking = [mark for mark in map(execution_marks, sources) if not mark.skip and not is_run(mark, gpus)]
        self.summary.without_gpu += bool(lacking)
        self.progress.done(task.page, task.framework.title, outcome.seconds)

    def _failed(self, task: Task, failure: CellFailure) -> None:
        diagnostic = failure_letter(task, failure)
        state = self.store.state(task.framework.name, task.page)
        fields = {name: getattr(diagnostic, name) for name in diagnostic.__dataclass_fields__}
        self.store.note(task.framework.name, task.page, replace(state, failed_key=task.key.digest, failure=fields))
        self.summary.failures.append(diagnostic)
        self.summary.failed += 1
        self.progress.failed(task.page, task.framework.title, diagnostic)
