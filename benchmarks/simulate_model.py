"""A build on machines that nobody has: tabbook's own scheduler, with time that is counted instead of waited for.

What a run does is what execute/running.py and execute/machine.py do: the driver decides, places and keeps, one thing at
a time; each node has one process that talks to its kernels, and starts a framework's fork server for the first notebook
that needs it, while the others that need it wait in their slots.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Generator, Sequence
from typing import Any

import simpy

from benchmarks.simulate_values import Cluster, Costs, Policy, Result, Work, lower_bounds
from tabbook.execute.schedule import Demand, Node, Placed

__all__ = ["simulate"]

_ATTEMPTS = 3  # as in execute/running.py: whoever has lost so many machines is given up
_HOUR = 3600.0

Events = Generator[simpy.Event, Any, None]


def simulate(
    book: Sequence[Work], cluster: Cluster, costs: Costs, policy: Policy | None = None, seed: int = 0
) -> Result:
    """Return what building a book takes; `seed` decides which nodes are lost when."""
    return _Build(book, cluster, costs, policy or Policy(), random.Random(seed)).run()


def _demand(work: Work) -> Demand:
    return Demand(gpus=work.gpus, framework=work.framework)


class _Build:
    def __init__(
        self, book: Sequence[Work], cluster: Cluster, costs: Costs, policy: Policy, chance: random.Random
    ) -> None:
        self.book = [work.at(cluster.gpus) for work in book]
        self.cluster, self.costs, self.policy, self.chance = cluster, costs, policy, chance
        self.env = simpy.Environment()
        self.scheduler = policy.scheduler()
        self.result = Result(bounds=lower_bounds(book, cluster))
        self.driver = simpy.Resource(self.env)
        self.hosts: dict[str, simpy.Resource] = {}
        self.servers: dict[tuple[str, str], simpy.Event] = {}
        self.running: dict[Placed[Work], simpy.Process] = {}
        self.attempts: Counter[Work] = Counter()
        self.frameworks = sorted({work.framework for work in self.book if not work.fresh})
        self.left = sum(not work.fresh for work in self.book)
        self.busy = 0  # notebooks that have a place, or are about to wait again
        self.coming = cluster.nodes
        self.finished = self.env.event()

    def run(self) -> Result:
        self.env.process(self._drive())
        self.env.run(self.finished)
        self.result.wall = self.env.now + (self.costs.close if self.hosts else 0.0)
        self.result.slot_seconds += len(self.hosts) * self.cluster.cpus * self.result.wall
        return self.result

    def _drive(self) -> Events:
        self.result.bytes["loaded"] = sum(work.stored for work in self.book if work.fresh)
        waiting = [work for work in self.book if not work.fresh]
        loading = self.costs.load * (len(self.book) - len(waiting))
        yield from self._use(self.driver, self.costs.command + self.costs.decide * len(self.book) + loading)
        if not waiting:
            self.finished.succeed()
            return
        yield from self._use(self.driver, self.costs.open)
        for work in waiting:
            expected = work.seconds if work.expected is None else work.expected
            self.scheduler.add(work, _demand(work), expected if self.policy.recorded else 0.0)
        for number in range(self.cluster.nodes):
            gpus = tuple(map(str, range(self.cluster.gpus)))
            self.env.process(self._join(Node(f"node {number}", self.cluster.cpus, 0, gpus)))

    def _join(self, node: Node) -> Events:
        self.hosts[node.name] = self.driver if self.cluster.local else simpy.Resource(self.env)
        self.result.bytes["sent"] += 0 if self.cluster.local else self.costs.bundle
        began = self.env.now
        yield self.env.timeout(0 if self.cluster.local else self.costs.node)
        if not self.cluster.ready:
            costs = [self.costs.frameworks[name] for name in self.frameworks]
            self.result.bytes["packages"] += sum(each.packages for each in costs)
            computing = sum(each.environment_cpu for each in costs) / node.cpus
            yield self.env.timeout(max(computing, *(each.environment for each in costs)))
        self.result.seconds["environments"] += (self.env.now - began) * node.cpus
        if self.policy.ahead:
            for name in self.frameworks:
                self._start(node.name, name, max(1.0, len(self.frameworks) / node.cpus))
        self.scheduler.join(node)
        self.coming -= 1
        if self.cluster.losses:
            self.env.process(self._lose(node))
        if not self.coming:  # as in a run: all nodes are there before anything is placed
            self._place()

    def _place(self) -> None:
        while (placed := self.scheduler.next()) is not None:
            self.busy += 1
            self.running[placed] = self.env.process(self._execute(placed))
        if not (self.busy or self.coming or self.finished.triggered):
            self.result.unfinished += self.left  # no node is there for what waits still
            self.finished.succeed()

    def _execute(self, placed: Placed[Work]) -> Events:
        work, host = placed.item, self.hosts[placed.node]
        began = self.env.now
        try:
            yield from self._use(self.driver, self._placing())
            self.result.bytes["sent"] += 0 if self.cluster.local else work.sent
            began = self.env.now
            yield self._start(placed.node, work.framework)
            self.result.seconds["servers"] += self.env.now - began
            began = self.env.now
            own = min(work.seconds, self.costs.host + self.costs.watch * work.seconds)
            yield from self._use(host, own)
            yield self.env.timeout(work.seconds - own)
        except simpy.Interrupt:
            self.result.seconds["lost"] += self.env.now - began
            yield from self._again(placed)
            return
        del self.running[placed]  # its outputs are here: nothing more can happen to them
        self.result.seconds["cells"] += work.seconds
        yield from self._use(self.driver, self.costs.keep)
        self.result.bytes["stored"] += work.stored
        self.result.executed += 1
        self.left -= 1
        self.busy -= 1
        self.scheduler.release(placed)
        self._place()

    def _placing(self) -> float:
        scheduling = self.costs.place + self.costs.place_per_node * self.cluster.nodes
        return scheduling + (0.0 if self.cluster.local else self.costs.carry)

    def _start(self, node: str, framework: str, stretch: float = 1.0) -> simpy.Event:
        """Return what a notebook waits for: the framework's server of a node, started when it is first needed."""
        if (node, framework) not in self.servers:
            self.result.servers += 1
            costs = self.costs.frameworks[framework]
            seconds = costs.server if self.cluster.ready else max(costs.server, costs.first)
            self.servers[node, framework] = self.env.timeout(seconds * stretch)
        return self.servers[node, framework]

    def _lose(self, node: Node) -> Events:
        yield self.env.timeout(self.chance.expovariate(self.cluster.losses / _HOUR))
        self.result.losses += 1
        self.result.slot_seconds += node.cpus * self.env.now
        del self.hosts[node.name]
        for placed in self.scheduler.leave(node.name):
            if process := self.running.pop(placed, None):
                process.interrupt()
        self._place()

    def _again(self, placed: Placed[Work]) -> Events:
        self.result.again += 1
        yield self.env.timeout(self.costs.detect)
        self.attempts[placed.item] += 1
        self.busy -= 1
        demand = _demand(placed.item)
        if self.attempts[placed.item] >= _ATTEMPTS or self.scheduler.impossible(demand):
            self.result.unfinished += 1
            self.left -= 1
        else:
            self.scheduler.add(placed.item, demand, placed.seconds)
        self._place()

    def _use(self, resource: simpy.Resource, seconds: float) -> Events:
        with resource.request() as turn:
            yield turn
            if resource is self.driver:
                self.result.driver += seconds
            yield self.env.timeout(seconds)
