"""The bars that the execution stage has to clear, each computed from what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

__all__ = ["Bar", "bars", "build_median", "overheads", "own_seconds"]

Section = dict[str, Any]


@dataclass(frozen=True)
class Bar:
    """One bar: what is measured, and what it may be at most."""

    name: str
    text: str
    value: float
    limit: float
    unit: str = ""

    @property
    def holds(self) -> bool:
        return self.value <= self.limit


def bars(results: dict[str, Section]) -> list[Bar]:
    """Return the bars for which there are measures."""
    found: list[Bar] = []
    if "book" in results:
        found += _on_the_book(results["book"])
    if "growth-200" in results:
        found += _on_many_notebooks(results["growth-200"])
    found += _decisions(results)
    soaks = [section for name, section in results.items() if name.startswith("soak-")]
    if soaks:
        forks = sum(section["forks"] for section in soaks)
        wrong = sum(section["failed"] + section["wrong"] for section in soaks)
        text = f"hung, failed or wrong of {forks} forked notebooks, {len(soaks)} rows of framework and thread cap"
        found.append(Bar("B2", text, wrong, 0))
    return found


def build_median(book: Section, contestant: str, change: str, what: str) -> float | None:
    """Return the median over the rounds of a contestant's `wall` or `cpu` seconds; None where it had no turn."""
    costs = [turn["builds"].get(contestant, {}).get(change) for turn in book["rounds"]]
    values = [cost[what] for cost in costs if cost]
    return median(values) if values else None


def own_seconds(book: Section, what: str) -> float:
    """Return the cells' own `wall` or `cpu` seconds on the book: the median over the rounds that measured them."""
    turns = [turn["cells"].values() for turn in book["rounds"] if "cells" in turn]
    sums = [sum(float(each[what]) for each in cells) for cells in turns]
    return median(sums)


def overheads(book: Section) -> dict[str, float]:
    """Return by notebook the seconds that ours took beyond its cells in the same run: medians over the rounds."""
    turns = [turn["notebooks"] for turn in book["rounds"]]
    return {name: median(turn[name]["duration"] - turn[name]["wall"] for turn in turns) for name in turns[0]}


def _on_the_book(book: Section) -> Iterator[Bar]:
    cpu = {name: build_median(book, name, "cold", "cpu") for name in ("ours", "ordinary")}
    own = own_seconds(book, "cpu")
    if cpu["ours"] is not None and cpu["ordinary"] is not None:
        beyond = (cpu["ours"] - own) / (cpu["ordinary"] - own)
        yield Bar("B1", "book, cold: CPU beyond the cells' own, as part of ordinary kernels'", beyond, 1 / 4)
    wall = build_median(book, "ours", "cold", "wall")
    if wall is not None:
        cores = book["machine"]["cores"]
        servers = median(turn["servers"]["wall"] for turn in book["rounds"])
        ideal = own_seconds(book, "wall") / cores + servers
        text = f"book, cold: wall; the limit is 1.3 × (the cells' own / {cores} cores + the fork servers' start)"
        yield Bar("B1", text, wall, 1.3 * ideal, "s")
    yield Bar(
        "B1", "book, cold: median overhead a notebook beyond its cells", median(overheads(book).values()), 0.5, "s"
    )


def _on_many_notebooks(growth: Section) -> Iterator[Bar]:
    if "ordinary" in growth:
        own = growth["own"]["cpu"]
        beyond = (growth["ours"]["cpu"] - own) / (growth["ordinary"]["cpu"] - own)
        text = f"{growth['count']} notebooks, cold: CPU beyond the cells' own, as part of ordinary kernels'"
        yield Bar("B1", text, beyond, 1 / 8)


def _decisions(results: dict[str, Section]) -> Iterator[Bar]:
    found = []
    if "book" in results:
        rounds = results["book"]["rounds"]
        seconds = median(turn["decision"]["command"] for turn in rounds)
        found.append((seconds, 0.3, f"the book's {len(rounds[0]['notebooks'])} notebooks"))
    if "growth-1000" in results:
        found.append((results["growth-1000"]["no change"]["command"], 1.5, "1,000 notebooks"))
    for seconds, limit, what in found:
        yield Bar("B3", f"no change, {what}: the whole command `tabbook execute`", seconds, limit, "s")
