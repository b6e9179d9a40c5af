"""Where the next limit lies, as numbers for simulation.md: each is computed from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.simulate_books import KINDS, draw_book
from benchmarks.simulate_grid import costs_of
from benchmarks.simulate_values import Work

__all__ = ["limits", "seconds_text"]

_NOTEBOOKS = 10000
_NODES = 100
_BITS_A_SECOND = 10e9


def seconds_text(value: float) -> str:
    """Return a duration as people say it.

    >>> [seconds_text(value) for value in (0, 0.00012, 0.0123, 1.23, 300, 9000)]
    ['0 秒', '0.12 ms', '12 ms', '1.2 秒', '5.0 分', '2.5 時間']
    """
    if value < 0.1:
        return f"{value * 1000:.2g} ms" if value else "0 秒"
    return f"{value:.1f} 秒" if value < 120 else f"{value / 60:.1f} 分" if value < 7200 else f"{value / 3600:.1f} 時間"


def limits(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page says about limits, by the names that stand in its template."""
    costs = costs_of(measured)
    books = {name: draw_book(measured["run"]["notebooks"], _NOTEBOOKS, kind) for name, kind in KINDS.items()}
    mean = sum(work.seconds for work in books["light"]) / _NOTEBOOKS
    host = costs.host + costs.watch * mean
    driver = costs.place + _NODES * costs.place_per_node + costs.carry + costs.keep
    starts = [each.server for each in costs.frameworks.values()]
    packages = sum(each.packages for each in costs.frameworks.values())
    deciding = costs.command + _NOTEBOOKS * costs.decide
    return {
        "mean": seconds_text(mean),
        "host": seconds_text(host),
        "workers": mean / host,
        "start_least": seconds_text(min(starts)),
        "start_most": seconds_text(max(starts)),
        "start_sum": seconds_text(sum(starts)),
        "driver": seconds_text(driver),
        "rate": 1 / driver,
        "slots": mean / driver,
        "slot_nodes": mean / driver / 8,
        "deciding": seconds_text(deciding),
        "least": seconds_text(deciding + _NOTEBOOKS * driver),
        "light_slots": _useful_slots(books["light"]),
        "training_slots": _useful_slots(books["training"]),
        "memory": sum(each["memory"] for each in measured["servers"]["frameworks"].values()) / 2**20,
        "packages": packages / 1e9,
        "all_packages": _NODES * packages / 1e9,
        "distributing": seconds_text(_NODES * packages * 8 / _BITS_A_SECOND),
    }


def _useful_slots(book: Sequence[Work]) -> int:
    """Return how many slots are done as soon as the longest notebook is; more are of no use."""
    return round(sum(work.seconds for work in book) / max(work.seconds for work in book))
