"""Which notebook is run next, and where: the longest first, on a node that has room for it.

There is no clock and no process in here: the same code decides for this machine, for the nodes of a cluster, and for
the simulation of clusters that nobody has.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, TypeVar

__all__ = ["Demand", "Node", "Placed", "Scheduler"]

T = TypeVar("T")

_GIB = 2**30


@dataclass(frozen=True)
class Demand:
    """What one notebook takes for itself while it runs; memory in bytes. `framework` is whose environment it needs."""

    cpus: int = 1
    memory: int = 0
    gpus: int = 0
    framework: str = ""


@dataclass(frozen=True)
class Node:
    """A machine, and what it gives; `gpus` are their names for CUDA_VISIBLE_DEVICES.

    `lacks` are the frameworks that have no environment there.
    """

    name: str
    cpus: int
    memory: int
    gpus: tuple[str, ...] = ()
    lacks: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Placed(Generic[T]):
    """A notebook that has its place: a node, and the GPUs that are its own there."""

    item: T
    demand: Demand
    seconds: float
    node: str
    gpus: tuple[str, ...]


@dataclass
class _Room:
    """What of a node is free."""

    node: Node
    cpus: int
    memory: int
    gpus: list[str]

    def fits(self, demand: Demand) -> bool:
        if demand.framework in self.node.lacks:
            return False
        return self.cpus >= demand.cpus and self.memory >= demand.memory and len(self.gpus) >= demand.gpus


@dataclass
class Scheduler(Generic[T]):
    """Items that wait, and nodes that they may run on."""

    nodes: Sequence[Node] = ()
    _rooms: dict[str, _Room] = field(default_factory=dict)
    # Items of the same demand fit, or do not, together: one heap for each, the longest first.
    _waiting: dict[Demand, list[tuple[float, int, T]]] = field(default_factory=dict)
    _placed: set[Placed[T]] = field(default_factory=set)
    _order: count[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        for node in self.nodes:
            self.join(node)

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def join(self, node: Node) -> None:
        """Use a node from now on."""
        self._rooms[node.name] = _Room(node, node.cpus, node.memory, list(node.gpus))

    def add(self, item: T, demand: Demand, seconds: float) -> None:
        """Let an item wait that is expected to take so many seconds."""
        heapq.heappush(self._waiting.setdefault(demand, []), (-seconds, next(self._order), item))

    def next(self) -> Placed[T] | None:
        """Give the longest of the waiting items that fit somewhere its place; None if none fits now."""
        found = [(heap[0], demand) for demand, heap in self._waiting.items() if heap and self._room(demand)]
        if not found:
            return None
        _, demand = min(found, key=lambda pair: pair[0][:2])
        seconds, _, item = heapq.heappop(self._waiting[demand])
        room = self._room(demand)
        assert room is not None
        room.cpus -= demand.cpus
        room.memory -= demand.memory
        gpus, room.gpus = room.gpus[: demand.gpus], room.gpus[demand.gpus :]
        placed = Placed(item, demand, -seconds, room.node.name, tuple(gpus))
        self._placed.add(placed)
        return placed

    def release(self, placed: Placed[T]) -> None:
        """Take back the place of an item that has ended; nothing happens if its node is gone."""
        if placed not in self._placed:
            return
        self._placed.remove(placed)
        room = self._rooms[placed.node]
        room.cpus += placed.demand.cpus
        room.memory += placed.demand.memory
        room.gpus = sorted([*room.gpus, *placed.gpus], key=room.node.gpus.index)

    def leave(self, name: str) -> list[Placed[T]]:
        """Use a node no longer; return what was running there, which is not waiting again by itself."""
        self._rooms.pop(name, None)
        lost = [placed for placed in self._placed if placed.node == name]
        self._placed.difference_update(lost)
        return lost

    def stranded(self) -> list[T]:
        """Take away, and return, the items that no node could ever run any more."""
        lost = [demand for demand, heap in self._waiting.items() if heap and self.impossible(demand)]
        return [item for demand in lost for _, _, item in self._waiting.pop(demand)]

    def impossible(self, demand: Demand) -> str:
        """Return why no node could ever meet a demand; nothing if one could."""
        nodes = [room.node for room in self._rooms.values()]
        if any(_Room(node, node.cpus, node.memory, list(node.gpus)).fits(demand) for node in nodes):
            return ""
        if not nodes:
            return "there is no machine to run it on"
        wanted = [
            (f"{demand.cpus} CPU cores", demand.cpus, max(node.cpus for node in nodes)),
            (f"{demand.memory / _GIB:.1f} GiB of memory", demand.memory, max(node.memory for node in nodes)),
            (f"{demand.gpus} GPU{'s' * (demand.gpus != 1)}", demand.gpus, max(len(node.gpus) for node in nodes)),
        ]
        lacking = [text for text, amount, most in wanted if amount > most]
        return f"no machine has {' and '.join(lacking)}" if lacking else "no machine has all that it asks for together"

    def _room(self, demand: Demand) -> _Room | None:
        """Return the best place: no GPU is kept from those who want one, and the load is even."""
        rooms = (room for room in self._rooms.values() if room.fits(demand))
        return min(rooms, key=lambda room: (len(room.node.gpus) > 0 and not demand.gpus, -room.cpus), default=None)
