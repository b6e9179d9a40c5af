"""Draw results.svg from results.json: ``python plot.py RESULTS SVG``, in the benchmark's own environment."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "tabbook"  # the same numbers give the same bytes
matplotlib.rcParams["svg.fonttype"] = "none"

from matplotlib import pyplot  # noqa: E402 - after its settings
from matplotlib.axes import Axes  # noqa: E402

_COLOURS = {"cold": "#4c72b0", "no change": "#55a868", "one prose line": "#dd8452", "one code cell": "#c44e52"}
_TITLES = {
    "ours": "ours",
    "ordinary": "nbclient",
    "d2lbook": "d2lbook",
    "myst-nb": "MyST-NB\n+ site",
    "site": "ours\n+ site",
}


def main() -> None:
    """Draw what there is."""
    results = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    if "book" in results:
        _book(left, results["book"])
    growth = [results[name] for name in results if name.startswith("growth-")]
    _growth(right, sorted(growth, key=lambda section: int(section["count"])))
    figure.savefig(sys.argv[2], metadata={"Date": None})


def _book(axes: Axes, book: dict[str, Any]) -> None:
    """Bars of CPU seconds a contestant and change; a line where the cells' own end."""
    names = [name for name in _TITLES if any(name in turn["builds"] for turn in book["rounds"])]
    width = 0.8 / len(_COLOURS)
    for index, (change, colour) in enumerate(_COLOURS.items()):
        for place, name in enumerate(names):
            costs = [turn["builds"].get(name, {}).get(change) for turn in book["rounds"]]
            values = [cost["cpu"] for cost in costs if cost]
            if values:
                label = change if place == 0 else None
                axes.bar(place + (index - 1.5) * width, median(values), width, color=colour, label=label)
    turns = [turn["cells"].values() for turn in book["rounds"] if "cells" in turn]
    own = median(sum(each["cpu"] for each in cells) for cells in turns)
    axes.axhline(own, color="black", linestyle="--", linewidth=1, label="the cells' own")
    axes.set_xticks(range(len(names)), [_TITLES[name] for name in names])
    axes.set_ylabel("CPU seconds")
    axes.set_title(f"The book: {len(book['rounds'][0]['notebooks'])} notebooks, four frameworks")
    axes.legend()


def _growth(axes: Axes, sections: list[dict[str, Any]]) -> None:
    """Lines of CPU seconds a notebook over the number of notebooks."""
    for name, marker in (("ours", "o"), ("ordinary", "s")):
        found = [section for section in sections if name in section]
        counts = [section["count"] for section in found]
        axes.plot(counts, [each[name]["cpu"] / each["count"] for each in found], marker=marker, label=_TITLES[name])
    axes.set_xscale("log")
    axes.set_yscale("log")
    counts = [section["count"] for section in sections]
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.minorticks_off()
    axes.set_xlabel("notebooks")
    axes.set_ylabel("CPU seconds a notebook")
    axes.set_title("A synthetic book of one framework, cold")
    axes.legend()


if __name__ == "__main__":
    main()
