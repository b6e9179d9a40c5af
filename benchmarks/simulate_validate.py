"""The simulation against real runs on this machine: the same notebooks, with the durations that they had there."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from benchmarks.simulate_model import simulate
from benchmarks.simulate_runs import run_here, run_on_ray
from benchmarks.simulate_trace import Run, read_runs
from benchmarks.simulate_values import Cluster, Costs, FrameworkCosts, Work

__all__ = ["VALIDATIONS", "compare", "validate"]


def validate(names: Sequence[str], costs: Costs) -> list[dict[str, Any]]:
    """Return for each of the named runs what was predicted and what was measured."""
    rows = []
    for name in names:
        run, local = VALIDATIONS[name]
        print(f"validating: {name} (load {os.getloadavg()[0]:.1f})", file=sys.stderr, flush=True)
        rows.append({"run": name, **compare(run(), costs, local)})
        print(f"  {rows[-1]}", file=sys.stderr, flush=True)
    return rows


def compare(found: dict[str, Any], costs: Costs, local: bool) -> dict[str, Any]:
    """Return the measured wall time of a run and two predictions, with their errors in per cent.

    `forecast` knows the notebooks' durations, and the costs that were measured before. `replayed` also knows how long
    the command took to its first notebook and how long the servers' starts took in this very run, which is much more
    than alone where others use the machine: its error is that of the simulation's own logic.
    """
    runs = read_runs(found)
    seconds = {(run.framework, run.page): run.seconds for run in runs if not run.lost}
    book = [
        Work(each["framework"], seconds[each["framework"], each["page"]], expected=each["expected"])
        for each in found["waiting"]
    ]
    (cpus,) = {node["cpus"] for node in found["nodes"]}
    cluster = Cluster(len(found["nodes"]), cpus, local=local)
    if not local:  # the nodes share this machine's cores
        shared = max(1.0, cluster.slots / len(os.sched_getaffinity(0)))
        slowed = {name: replace(each, server=each.server * shared) for name, each in costs.frameworks.items()}
        costs = replace(costs, frameworks=slowed)
    own = replace(costs, frameworks=_own_servers(runs, costs), command=found["opened"], decide=0.0, open=0.0, node=0.0)
    measured = found["ended"]
    forecast, replayed = (simulate(book, cluster, each).wall for each in (costs, own))
    return {
        "nodes": len(found["nodes"]),
        "workers": cpus,
        "notebooks": len(book),
        "cells": round(sum(work.seconds for work in book), 1),
        "measured": round(measured, 1),
        "forecast": round(forecast, 1),
        "forecast_error": round(100 * (forecast / measured - 1), 1),
        "replayed": round(replayed, 1),
        "replayed_error": round(100 * (replayed / measured - 1), 1),
        "load_average": round(found["load_average"], 1),
    }


def _own_servers(runs: Sequence[Run], costs: Costs) -> dict[str, FrameworkCosts]:
    """Return the frameworks' costs with the servers' starts of these runs: what the first one of each node waited."""
    first: dict[tuple[str, str], Run] = {}
    for run in sorted(runs, key=lambda run: run.began):
        first.setdefault((run.node, run.framework), run)
    waited = defaultdict(list)
    for (_, framework), run in first.items():
        waited[framework].append(run.waited)
    return {
        name: replace(each, server=fmean(waited[name])) if name in waited else each
        for name, each in costs.frameworks.items()
    }


VALIDATIONS: Mapping[str, tuple[Callable[[], dict[str, Any]], bool]] = {
    "book, 1 worker": (lambda: run_here("real", 1), True),
    "book, 2 workers": (lambda: run_here("real", 2), True),
    "sleepers, 1 worker": (lambda: run_here("sleepers", 1), True),
    "sleepers, 2 workers": (lambda: run_here("sleepers", 2), True),
    "sleepers, 4 workers": (lambda: run_here("sleepers", 4), True),
    "sleepers, 4 workers, again": (lambda: run_here("sleepers", 4, again=True), True),
    "book, 1 Ray node": (lambda: run_on_ray("real", 1), False),
    "book, 2 Ray nodes": (lambda: run_on_ray("real", 2), False),
    "book, 3 Ray nodes": (lambda: run_on_ray("real", 3), False),
    "sleepers, 3 Ray nodes": (lambda: run_on_ray("sleepers", 3), False),
}
"""By name: how a run is made, and whether it is one without Ray."""
