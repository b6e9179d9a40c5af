"""What is simulated: from one machine to a hundred nodes, from no change to a book that nobody has built."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.simulate_books import KINDS, draw_book
from benchmarks.simulate_model import simulate
from benchmarks.simulate_policies import POLICIES
from benchmarks.simulate_values import Cluster, Costs, FrameworkCosts, Result

__all__ = ["SECTIONS", "Case", "costs_of", "run_section"]

Row = dict[str, Any]

_SEEDS = 5


@dataclass(frozen=True)
class Case:
    """One build: of how many notebooks of which kind, on what."""

    notebooks: int
    cluster: Cluster
    kind: str = "light"
    fresh: float = 0.0
    policy: str = "now"

    def row(self, results: Sequence[Result]) -> Row:
        """Return what the results have in the middle; there are several where chance is at work."""

        def middle(value: Callable[[Result], float], digits: int = 1) -> float:
            return round(median(map(value, results)), digits)

        return {
            "notebooks": self.notebooks,
            "kind": self.kind,
            "fresh": self.fresh,
            "policy": self.policy,
            "nodes": self.cluster.nodes,
            "cpus": self.cluster.cpus,
            "gpus": self.cluster.gpus,
            "losses": self.cluster.losses,
            "ready": self.cluster.ready,
            "local": self.cluster.local,
            "wall": middle(lambda result: result.wall),
            "most": round(max(result.wall for result in results), 1),
            "bound": middle(lambda result: result.bound),
            "limit": max(results[0].bounds, key=lambda kind: results[0].bounds[kind]),
            "ratio": middle(lambda result: result.ratio, 2),
            "cells": middle(lambda result: result.share("cells"), 3),
            "starting": middle(lambda result: result.share("servers"), 3),
            "joining": middle(lambda result: result.share("environments"), 3),
            "lost": middle(lambda result: result.share("lost"), 3),
            "idle": middle(lambda result: result.share("idle"), 3),
            "driver": middle(lambda result: result.driver / result.wall if result.wall else 0.0, 3),
            "servers": middle(lambda result: result.servers, 0),
            "nodes_lost": middle(lambda result: result.losses, 0),
            "again": middle(lambda result: result.again, 0),
            "unfinished": middle(lambda result: result.unfinished, 0),
            "stored_mb": middle(lambda result: result.bytes["stored"] / 1e6, 2),
            "loaded_mb": middle(lambda result: result.bytes["loaded"] / 1e6, 2),
            "sent_mb": middle(lambda result: result.bytes["sent"] / 1e6, 2),
            "packages_mb": middle(lambda result: result.bytes["packages"] / 1e6, 2),
        }


def _sizes() -> Iterator[Case]:
    machines = [Cluster(1, workers, local=True) for workers in (2, 8)] + [Cluster(nodes) for nodes in (3, 10, 100)]
    for kind in KINDS:
        for notebooks in (40, 200, 1000, 10000):
            yield from (Case(notebooks, machine, kind) for machine in machines)


def _one_machine() -> Iterator[Case]:
    for notebooks in (40, 200, 800, 4000, 10000):
        for workers in (1, 2, 4, 8, 16, 32, 64):
            yield Case(notebooks, Cluster(1, workers, local=True))


def _changes() -> Iterator[Case]:
    for notebooks in (40, 200, 800, 4000, 10000):
        for fresh in (0.0, 0.5, 0.9, 0.99, 1.0):
            yield Case(notebooks, Cluster(1, 2, local=True), fresh=fresh)
            yield Case(notebooks, Cluster(10), fresh=fresh)


def _clusters() -> Iterator[Case]:
    for notebooks in (200, 1000, 10000):
        for nodes in (1, 2, 3, 5, 10, 20, 30, 50, 100):
            for ready in (True, False):
                yield Case(notebooks, Cluster(nodes, ready=ready))


def _gpus() -> Iterator[Case]:
    for notebooks in (1000, 10000):
        for nodes in (1, 10, 100):
            for gpus in (0, 1, 2, 4, 8):
                yield Case(notebooks, Cluster(nodes, gpus=gpus), "training")


def _losses() -> Iterator[Case]:
    for nodes in (10, 30, 100):
        for losses in (0.0, 0.1, 0.5, 1.0, 5.0):
            yield Case(10000, Cluster(nodes, gpus=1, losses=losses), "training")


def _policies() -> Iterator[Case]:
    clusters = [(200, Cluster(1, 2, local=True)), (200, Cluster(1, 8, local=True)), (200, Cluster(3))]
    clusters += [(1000, Cluster(10, 2)), (1000, Cluster(10)), (1000, Cluster(100))]
    clusters += [(10000, Cluster(10)), (10000, Cluster(100, 2)), (10000, Cluster(100))]
    for notebooks, cluster in clusters:
        for policy in POLICIES:
            yield Case(notebooks, cluster, policy=policy)


SECTIONS: Mapping[str, Callable[[], Iterator[Case]]] = {
    "sizes": _sizes,
    "machine": _one_machine,
    "changes": _changes,
    "clusters": _clusters,
    "gpus": _gpus,
    "losses": _losses,
    "policies": _policies,
}


def run_section(name: str, measured: Mapping[str, Any]) -> list[Row]:
    """Return a row for each case of a section."""
    costs, rows = costs_of(measured), []
    began = time.monotonic()
    for case in SECTIONS[name]():
        book = draw_book(measured["run"]["notebooks"], case.notebooks, KINDS[case.kind], case.fresh)
        seeds = range(_SEEDS if case.cluster.losses else 1)
        rows.append(case.row([simulate(book, case.cluster, costs, POLICIES[case.policy], seed) for seed in seeds]))
    print(f"simulated: {name}, {len(rows)} cases in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return rows


def costs_of(measured: Mapping[str, Any]) -> Costs:
    """Return the costs that were measured; CPU seconds stand for the wall of what only computes."""
    driver, run, ray = measured["driver"], measured["run"], measured["ray"]
    environments = measured["environments"]["frameworks"]
    opening = max(0.0, run["opened"] - driver["command"] - len(run["notebooks"]) * driver["decide"])
    return Costs(
        {
            name: FrameworkCosts(
                environments[name]["seconds"],
                environments[name]["cpu"],
                each["cpu"],
                environments[name]["first_start"],
                environments[name]["bytes"],
            )
            for name, each in measured["servers"]["frameworks"].items()
        },
        command=driver["command"],
        decide=driver["decide"],
        load=driver["load"],
        open=opening,
        close=run["closing"],
        node=max(0.0, ray["opened"] - driver["command"] - ray["notebooks"] * driver["decide"] - opening),
        place=driver["place"],
        place_per_node=driver["place_per_node"],
        carry=ray["carry"],
        keep=driver["keep"],
        host=run["host"],
        watch=run["watch"],
        detect=ray["detect"],
        bundle=ray["bundle"],
    )
