"""What is simulated, and what comes of it, as values: notebooks, their costs, computers, and a build's result."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tabbook.execute.schedule import Scheduler

__all__ = ["Cluster", "Costs", "FrameworkCosts", "Policy", "Result", "Work", "lower_bounds"]


@dataclass(frozen=True, eq=False)
class Work:
    """A notebook: how long it runs in its kernel, what it asks for, and the bytes of its entry and of its job.

    A `fresh` one is in the store already. `without` is how long it runs where it does not get its GPUs: their cells
    are left out then. `expected` is how long it is thought to run, where that is not what it does run.
    """

    framework: str
    seconds: float
    gpus: int = 0
    stored: int = 0
    sent: int = 0
    fresh: bool = False
    without: float = 0.0
    expected: float | None = None

    def at(self, gpus: int) -> Work:
        """Return what is run where a node has at most so many GPUs."""
        return replace(self, gpus=0, seconds=self.without) if self.gpus > gpus else replace(self)


@dataclass(frozen=True)
class FrameworkCosts:
    """What a framework costs a node once: its environment and its fork server in seconds, and bytes of packages.

    `environment_cpu` is what making it computes: more than its seconds where it uses several cores. `first` is the
    server's start in a new environment, where Python compiles all that is imported.
    """

    environment: float = 0.0
    environment_cpu: float = 0.0
    server: float = 0.0
    first: float = 0.0
    packages: int = 0


@dataclass(frozen=True)
class Costs:
    """What a run costs beside the cells, in seconds unless said otherwise; all are measured on real runs."""

    frameworks: Mapping[str, FrameworkCosts]
    command: float = 0.0  # from the command to the first look at a page
    decide: float = 0.0  # a notebook: read it, make its key, look into the store
    load: float = 0.0  # one that is in the store: read it, and verify it
    open: float = 0.0  # from the decision to the first placing
    close: float = 0.0  # from the last notebook's end to the command's
    node: float = 0.0  # a node of a cluster: until it can be used
    place: float = 0.0  # a notebook: the driver gives it its place
    place_per_node: float = 0.0
    carry: float = 0.0  # a notebook of a cluster: the driver sends it to its node, and receives what came of it
    keep: float = 0.0  # a notebook: the driver stores what came of it
    host: float = 0.0  # a notebook: its node's process is busy with it
    watch: float = 0.0  # and so for each second that it runs
    detect: float = 0.0  # until the loss of a node is noticed
    bundle: int = 0  # bytes that a node of a cluster is sent once


@dataclass(frozen=True)
class Cluster:
    """Equal nodes; `losses` is how many of them are lost an hour, each; `ready` ones have their environments.

    The one node of a `local` cluster is the machine that the driver runs on.
    """

    nodes: int
    cpus: int = 8
    gpus: int = 0
    losses: float = 0.0
    ready: bool = True
    local: bool = False

    @property
    def slots(self) -> int:
        return self.nodes * self.cpus


@dataclass(frozen=True)
class Policy:
    """How notebooks are placed.

    `recorded`: their durations are known from an earlier build; else they are placed in their order. `ahead`: a node
    starts the servers of all frameworks, side by side, when it joins.
    """

    scheduler: Callable[[], Scheduler[Work]] = Scheduler
    recorded: bool = True
    ahead: bool = False


@dataclass
class Result:
    """What a build took.

    `seconds` says what became of the slots' time (cells, servers, environments, lost); the rest
    was idle.
    """

    wall: float = 0.0
    bounds: Mapping[str, float] = field(default_factory=dict)
    executed: int = 0
    slot_seconds: float = 0.0
    seconds: defaultdict[str, float] = field(
        default_factory=lambda: defaultdict(float)
    )  # cells, servers, environments, lost
    servers: int = 0
    losses: int = 0  # of nodes
    again: int = 0  # notebooks that were lost with their node
    unfinished: int = 0  # notebooks that were given up, or had no node left
    driver: float = 0.0  # seconds that the driver was busy
    bytes: Counter[str] = field(default_factory=Counter)  # stored, loaded, sent (to nodes), packages

    def share(self, kind: str) -> float:
        """Return the part of the slots' time that one kind has taken; `idle` is what no kind has."""
        if not self.slot_seconds:
            return 0.0
        used = self.slot_seconds - sum(self.seconds.values()) if kind == "idle" else self.seconds[kind]
        return used / self.slot_seconds

    @property
    def bound(self) -> float:
        return max(self.bounds.values())

    @property
    def ratio(self) -> float:
        return self.wall / self.bound if self.bound else 0.0


def lower_bounds(book: Sequence[Work], cluster: Cluster) -> dict[str, float]:
    """Return the seconds below which no order comes: the slots' even load, the GPUs' even load, the longest one."""
    works = [work.at(cluster.gpus) for work in book if not work.fresh]
    return {
        "slots": sum(work.seconds for work in works) / cluster.slots,
        "gpus": sum(work.seconds * work.gpus for work in works) / (cluster.nodes * cluster.gpus or 1),
        "longest": max((work.seconds for work in works), default=0.0),
    }
