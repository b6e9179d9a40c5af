"""Have tasks executed by the machines that there are, the longest first, and none that another build executes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tabbook.errors import BookError
from tabbook.execute.claims import Claim, take_claim
from tabbook.execute.job import CellFailure, Host, HostLostError, Outcome
from tabbook.execute.results import Results
from tabbook.execute.schedule import Node, Placed, Scheduler
from tabbook.execute.task import Task
from tabbook.execute.waiting import Waiting

__all__ = ["require_possible", "run_tasks"]

_POLL_SECONDS = 0.1
_ATTEMPTS = 3


async def run_tasks(waiting: Sequence[Waiting], hosts: Sequence[Host], results: Results) -> None:
    """Execute tasks, as many at a time as the hosts have room for.

    Raises:
        BookError: no host could ever run one of them; then none is run.
    """
    require_possible(waiting, [host.node for host in hosts])
    scheduler: Scheduler[Waiting] = Scheduler([host.node for host in hosts])
    for item in waiting:
        scheduler.add(item, item.demand, item.seconds)
    with results.progress.showing(len(waiting)):
        try:
            # Unlike `gather`, a group waits for the kernels of all its tasks to be ended, whatever ends it.
            async with asyncio.TaskGroup() as group:
                _Run(scheduler, {host.node.name: host for host in hosts}, results, group).place()
        except BaseExceptionGroup as errors:  # such as a full disk
            raise errors.exceptions[0] from None


def require_possible(waiting: Sequence[Waiting], nodes: Sequence[Node]) -> None:
    """Refuse tasks that no node could ever run.

    Raises:
        BookError: there is one; the text says what no node has.
    """
    scheduler: Scheduler[Waiting] = Scheduler(nodes)
    for demand in {item.demand for item in waiting}:
        if reason := scheduler.impossible(demand):
            hint = "see `memory` under [tabbook] in config.ini, and the `#@gpu` marks of cells"
            raise BookError(f"the notebooks cannot be executed: {reason}.\n    hint: {hint}")


@dataclass
class _Run:
    """What the tasks of one run share."""

    scheduler: Scheduler[Waiting]
    hosts: Mapping[str, Host]
    results: Results
    group: asyncio.TaskGroup
    attempts: dict[str, int] = field(default_factory=dict)

    def place(self) -> None:
        """Start all that there is room for, and give up what nobody can run any more."""
        while (placed := self.scheduler.next()) is not None:
            claim = take_claim(self.results.store.folder, placed.item.task.key.digest)
            if claim:
                self.group.create_task(self._execute(placed, claim))
            else:
                self.scheduler.release(placed)
                self.group.create_task(self._wait(placed.item))
        for item in self.scheduler.stranded():
            self._give_up(item.task, self.scheduler.impossible(item.demand))

    async def _execute(self, placed: Placed[Waiting], claim: Claim) -> None:
        task = placed.item.task
        try:
            if self.results.store.load(task.key.digest) is not None:  # finished since this build has looked
                self.results.reused(task)
            else:
                self.results.progress.start(task.page, task.framework.title)
                outcome = await self.hosts[placed.node].run(task.job, placed.gpus)
                self.results.take(task, outcome)
        except HostLostError as lost:
            self._again(placed, str(lost))
        finally:
            claim.release()
            self.scheduler.release(placed)
        self.place()

    async def _wait(self, item: Waiting) -> None:
        """Wait, without a place, until nobody is executing the same notebook; then look again."""
        while (claim := take_claim(self.results.store.folder, item.task.key.digest)) is None:
            await asyncio.sleep(_POLL_SECONDS)
        claim.release()
        self.scheduler.add(item, item.demand, item.seconds)
        self.place()

    def _again(self, placed: Placed[Waiting], reason: str) -> None:
        """Let a task wait again whose machine is gone; one that machines do not outlive is given up."""
        task, digest = placed.item.task, placed.item.task.key.digest
        self.results.progress.lost(task.page, task.framework.title, reason)
        self.scheduler.leave(placed.node)
        self.attempts[digest] = self.attempts.get(digest, 0) + 1
        if self.attempts[digest] >= _ATTEMPTS:
            self._give_up(task, f"its machine was lost {_ATTEMPTS} times")
        else:
            self.scheduler.add(placed.item, placed.item.demand, placed.item.seconds)

    def _give_up(self, task: Task, cause: str) -> None:
        self.results.progress.start(task.page, task.framework.title)
        self.results.take(task, Outcome(0.0, failure=CellFailure(0, 0, f"could not be run: {cause}")))
