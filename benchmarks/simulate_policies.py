"""Other ways to place notebooks, to see what they would give: each is a scheduler of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.simulate_values import Policy, Work
from tabbook.execute.schedule import Demand, Placed, Scheduler

__all__ = ["POLICIES", "Balanced", "Near"]


@dataclass
class Near(Scheduler[Work]):
    """The longest first; of the nodes with room, one where the framework's server was started already."""

    started: set[tuple[str, str]] = field(default_factory=set)

    def next(self) -> Placed[Work] | None:
        placed = super().next()
        if placed is not None:
            self.started.add((placed.node, placed.item.framework))
        return placed

    def _room(self, demand: Demand):  # type: ignore[no-untyped-def]  # what it returns is private
        rooms = (room for room in self._rooms.values() if room.fits(demand))
        return min(
            rooms,
            key=lambda room: (
                len(room.node.gpus) > 0 and not demand.gpus,
                (room.node.name, demand.framework) not in self.started,
                -room.cpus,
            ),
            default=None,
        )


@dataclass
class Balanced(Near):
    """The longest first of those whose framework's server runs where there is room.

    Only if there is none, a server is started: that of the framework with the most work for each of its slots.
    """

    def next(self) -> Placed[Work] | None:
        found = [(heap, demand, self._room(demand)) for demand, heap in self._waiting.items() if heap]
        found = [each for each in found if each[2]]
        if not found:
            return None
        warm = [each for each in found if (each[2].node.name, each[1].framework) in self.started]
        heap, demand, _ = min(warm, key=lambda each: each[0][0][:2]) if warm else max(found, key=self._pressure)
        # The rest is the scheduler's own: it is shown nothing else for once.
        waiting, self._waiting = self._waiting, {demand: heap}
        try:
            return super().next()
        finally:
            self._waiting = waiting

    def _pressure(self, found) -> float:  # type: ignore[no-untyped-def]  # what it is given is private
        heap, demand, _ = found
        slots = sum((name, demand.framework) in self.started for name in self._rooms)
        work: float = -sum(seconds for seconds, _, _ in heap)
        return work / (1 + slots)


POLICIES = {
    "now": Policy(),
    "in order": Policy(recorded=False),
    "near": Policy(Near),
    "balanced": Policy(Balanced),
    "ahead": Policy(ahead=True),
}
"""`now` is what tabbook does; `in order` what it does the first time, when no durations are recorded."""
