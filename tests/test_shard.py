"""Parts of the work for several machines: nothing twice, nothing left out, and each takes about as long."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import time
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import pytest

from books_for_tests import CONFIG, TinyBook, cell, executed, tiny_book
from tabbook.execute.shard import cut, own_share, parse_shard
from tabbook.execute.store import PageState
from tabbook.execute.task import find_tasks
from tabbook.pages import find_pages

SHARDS = ("1/3", "2/3", "3/3")
RECORDED = {"index": 9.0, "a": 7.0, "b": 6.0, "c": 5.0, "d": 4.0, "e": 3.0, "f": 2.0, "g": 2.0}


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_parts_are_disjoint_complete_and_balanced(count: int) -> None:
    """No part takes over 25 % longer than the mean, with durations such as real books have."""
    chance = random.Random(count)
    for size in (40, 200, 1000):
        seconds = {f"{number:x}": chance.lognormvariate(1, 0.8) for number in range(size)}
        plan = cut(seconds, count)
        assert plan.keys() == seconds.keys()
        loads = [sum(seconds[name] for name in plan if plan[name] == number) for number in range(1, count + 1)]
        assert max(loads) <= 1.25 * sum(loads) / count
        assert cut(dict(reversed(seconds.items())), count) == plan, "the order of the pages does not matter"


def sharded_book(root: Path, recorded: dict[str, float]) -> TinyBook:
    """Make a book with a page for each duration that was recorded in one framework."""
    book = tiny_book(root, {page: cell(f"'{page}'", "jax") for page in recorded}, CONFIG)
    for page, seconds in recorded.items():
        book.store.note("jax", page, PageState(seconds=seconds))
    return book


def load(names: Iterable[str]) -> float:
    return sum(RECORDED[name.split(" ")[0]] for name in names)


def test_parts_over_one_store_one_after_another(tmp_path: Path) -> None:
    """The first part records other durations; the others still run exactly what it has left them."""
    book = sharded_book(tmp_path / "book", RECORDED)
    parts = []
    for shard in SHARDS:
        done = book.tabbook("execute", "--shard", shard)
        parts.append(executed(done.stderr))
        left = len(RECORDED) - sum(map(len, parts))
        assert f"shard {shard}: left to the others {left}" in done.stderr.splitlines()[-1]
    assert sorted(chain(*parts)) == sorted(f"{page} · JAX" for page in RECORDED)
    assert max(map(load, parts)) <= 1.25 * load(chain(*parts)) / 3
    again = book.tabbook("execute", "--shard", "2/3").stderr
    assert again == "executed 0 notebooks (0 cells), reused 8, failed 0, shard 2/3: left to the others 0\n"


def share(book: TinyBook, shard: str, waiting: str = "") -> list[str]:
    """Return the pages that a part would run; `waiting` names those that are to be run, all without it."""
    every = list(find_tasks(book.config, find_pages(book.config), ["jax"]))
    left = [task for task in every if not waiting or task.page in waiting.split()]
    return [task.page for task in own_share(parse_shard(shard), every, left, book.store)]


def test_parts_with_copies_of_one_store(tmp_path: Path) -> None:
    """Machines that share nothing cut alike."""
    book = sharded_book(tmp_path / "book", RECORDED)
    original = tmp_path / "original"
    book.store.folder.rename(original)
    parts = []
    for shard in SHARDS:
        shutil.rmtree(book.store.folder, ignore_errors=True)
        shutil.copytree(original, book.store.folder)
        parts.append(share(book, shard))
    assert sorted(chain(*parts)) == sorted(RECORDED)
    assert max(map(load, parts)) <= 1.25 * load(RECORDED) / 3


def test_where_nothing_is_known_parts_have_as_many_pages(tmp_path: Path) -> None:
    book = sharded_book(tmp_path / "book", dict.fromkeys(("index", "a", "b", "c", "d", "e"), 0.0))
    assert [len(share(book, shard)) for shard in SHARDS] == [2, 2, 2]


def test_what_the_plan_does_not_know_is_one_parts_own(tmp_path: Path) -> None:
    """What was up to date for the part that has planned, and was damaged before another began, is run by one of them.

    A damaged plan is made anew.
    """
    book = sharded_book(tmp_path / "book", RECORDED)
    first = share(book, "1/2", waiting="index b c d")
    assert 0 < len(first) < 4
    assert sorted(share(book, "1/2") + share(book, "2/2")) == sorted(RECORDED)
    assert set(first) <= set(share(book, "1/2"))
    (plan,) = (book.store.folder / "plans").iterdir()
    for damage in (b"{", b"[]", b""):
        plan.write_bytes(damage)
        assert sorted(share(book, "1/2") + share(book, "2/2")) == sorted(RECORDED)
        assert len(json.loads(plan.read_bytes())) == len(RECORDED)


def test_old_plans_are_removed(tmp_path: Path) -> None:
    book = sharded_book(tmp_path / "book", RECORDED)
    share(book, "1/2")
    (plan,) = (book.store.folder / "plans").iterdir()
    book.tabbook("store", "gc")
    assert plan.exists()
    os.utime(plan, (time.time() - 90000,) * 2)
    assert "1 leftover" in book.tabbook("store", "gc").stdout
    assert not plan.exists()


@pytest.mark.parametrize("wrong", ["4/3", "0/2", "x", "1/0", "1/2/3", "-1/2", "１/２"])
def test_wrong_parts_are_refused(tmp_path: Path, wrong: str) -> None:
    book = tiny_book(tmp_path / "book")
    said = book.tabbook("execute", f"--shard={wrong}", status=2).stderr
    assert re.search(r"argument --shard: .+: not a part of the work; write 1/3, 2/3 and 3/3", said)
