"""Draw simulation.svg from simulation.json: ``python simulate_plot.py RESULTS SVG``, in the benchmarks' environment."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "tabbook"  # the same numbers give the same bytes
matplotlib.rcParams["svg.fonttype"] = "none"

from matplotlib import pyplot  # noqa: E402 - after its settings
from matplotlib.axes import Axes  # noqa: E402

Row = dict[str, Any]

_SHARES = {"cells": "notebooks", "starting": "servers start", "joining": "nodes join", "idle": "idle"}


def main() -> None:
    """Draw three pictures side by side."""
    results = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    simulated = results["simulated"]
    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(15, 4.4), layout="constrained")
    _walls(left, simulated["machine"], "cpus", "One machine", "notebooks at a time")
    _walls(middle, [row for row in simulated["clusters"] if row["ready"]], "nodes", "Nodes of 8 CPUs", "nodes")
    _shares(right, [row for row in simulated["clusters"] if row["ready"] and row["notebooks"] == 10000])
    figure.savefig(sys.argv[2], metadata={"Date": None})


def _walls(axes: Axes, rows: list[Row], over: str, title: str, label: str) -> None:
    """Lines of wall seconds, one a size of book; dashed the bound below which no order comes."""
    for colour, notebooks in enumerate(sorted({row["notebooks"] for row in rows})):
        found = [row for row in rows if row["notebooks"] == notebooks]
        places = [row[over] for row in found]
        axes.plot(places, [row["wall"] for row in found], f"C{colour}o-", markersize=3, label=f"{notebooks:,}")
        axes.plot(places, [row["bound"] for row in found], f"C{colour}--", linewidth=1)
    ticks = sorted({row[over] for row in rows})
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel(label)
    axes.set_ylabel("seconds (dashed: lower bound)")
    axes.set_title(title)
    axes.legend(title="notebooks", fontsize="small")


def _shares(axes: Axes, rows: list[Row]) -> None:
    """Stacked bars of what becomes of the slots' time, one a number of nodes."""
    bottoms = [0.0] * len(rows)
    for name, label in _SHARES.items():
        values = [row[name] for row in rows]
        axes.bar(range(len(rows)), values, bottom=bottoms, label=label)
        bottoms = [bottom + value for bottom, value in zip(bottoms, values, strict=True)]
    axes.plot(range(len(rows)), [row["driver"] for row in rows], "k.-", label="driver is busy")
    axes.set_xticks(range(len(rows)), [str(row["nodes"]) for row in rows])
    axes.set_xlabel("nodes")
    axes.set_ylabel("share of the time")
    axes.set_title("10,000 notebooks: the slots' time")
    axes.legend(fontsize="small")


if __name__ == "__main__":
    main()
