"""Books of any size, drawn from the notebooks that were measured."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.simulate_values import Work

__all__ = ["KINDS", "Kind", "draw_book"]


@dataclass(frozen=True)
class Kind:
    """How a book's pages differ from the measured ones; these are assumptions, not measurements.

    A page is a measured one, in all its frameworks, times a factor of its own (log-normal, 1 in the mean, `spread` its
    sigma). A share of the pages trains something: it is `longer` times as long, and part of these ask for GPUs.
    """

    title: str
    spread: float = 0.5
    training: float = 0.0
    longer: float = 1.0
    one_gpu: float = 0.0
    more_gpus: float = 0.0


KINDS: Mapping[str, Kind] = {
    "light": Kind("説明の本"),
    "training": Kind("訓練する本", training=0.2, longer=20.0, one_gpu=0.5, more_gpus=0.1),
}


def draw_book(recorded: Sequence[Mapping[str, Any]], count: int, kind: Kind, fresh: float = 0.0) -> list[Work]:
    """Return `count` notebooks; those of two sizes begin with the same ones, and so do those of two shares `fresh`."""
    pages = defaultdict(list)
    for each in recorded:
        pages[each["page"]].append(each)
    chance, stored = random.Random(kind.title), random.Random(f"{kind.title} stored")
    book: list[Work] = []
    while len(book) < count:
        page = pages[chance.choice(sorted(pages))]
        factor = chance.lognormvariate(-(kind.spread**2) / 2, kind.spread)
        trains, gpus = chance.random() < kind.training, chance.random()
        wanted = (2 if gpus < kind.more_gpus else gpus < kind.more_gpus + kind.one_gpu) if trains else 0
        book += [_work(each, factor, kind.longer if trains else 1.0, int(wanted), stored, fresh) for each in page]
    return book[:count]


def _work(
    each: Mapping[str, Any], factor: float, longer: float, gpus: int, stored: random.Random, fresh: float
) -> Work:
    seconds = each["seconds"] * factor
    return Work(
        each["framework"],
        seconds * longer,
        gpus,
        each["stored"],
        each["sent"],
        stored.random() < fresh,
        without=seconds,
    )
