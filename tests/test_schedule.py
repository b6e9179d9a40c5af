"""Which notebook is run next, and where: the decisions alone, without a clock and without a process."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from tabbook.execute.schedule import Demand, Node, Placed, Scheduler

GIB = 2**30
CPU = Demand()


def scheduler(*nodes: Node) -> Scheduler[str]:
    return Scheduler(nodes)


def node(name: str = "a", cpus: int = 1, memory: int = 16, gpus: int = 0) -> Node:
    """Return a node; memory in GiB."""
    return Node(name, cpus, memory * GIB, tuple(f"{name}{number}" for number in range(gpus)))


def placed_now(queue: Scheduler[str]) -> list[Placed[str]]:
    """Place all that there is room for."""
    return list(iter(queue.next, None))


def test_the_longest_is_first_and_equals_keep_their_order() -> None:
    queue = scheduler(node())
    for item, seconds in [("short", 1.0), ("first", 3.0), ("longest", 9.0), ("second", 3.0)]:
        queue.add(item, CPU, seconds)
    order = []
    while (placed := queue.next()) is not None:
        assert queue.next() is None, "a machine with one slot runs one notebook at a time"
        order.append((placed.item, placed.seconds))
        queue.release(placed)
    assert order == [("longest", 9.0), ("first", 3.0), ("second", 3.0), ("short", 1.0)]
    assert len(queue) == 0


def test_what_fits_does_not_wait_for_what_does_not() -> None:
    queue = scheduler(node(cpus=2, gpus=1))
    queue.add("long, on the GPU", Demand(gpus=1), 9.0)
    queue.add("longer, on the GPU", Demand(gpus=1), 10.0)
    queue.add("short", CPU, 1.0)
    assert [placed.item for placed in placed_now(queue)] == ["longer, on the GPU", "short"]
    assert len(queue) == 1


def test_the_load_is_even() -> None:
    queue = scheduler(node("a", 2), node("b", 4), node("c", 2))
    for _ in range(5):
        queue.add("x", CPU, 1.0)
    assert Counter(placed.node for placed in placed_now(queue)) == {"a": 1, "b": 3, "c": 1}


def test_tasks_for_the_cpu_take_a_node_with_gpus_only_when_the_others_are_full() -> None:
    queue = scheduler(node("gpus", 8, gpus=2), node("plain", 2))
    for _ in range(3):
        queue.add("x", CPU, 1.0)
    found = placed_now(queue)
    assert [placed.node for placed in found] == ["plain", "plain", "gpus"]
    assert all(placed.gpus == () for placed in found)


def test_gpus_belong_to_one_task_at_a_time_and_come_back() -> None:
    queue = scheduler(node("g", 8, gpus=4))
    for name, gpus, seconds in [("one", 1, 9.0), ("two", 2, 8.0), ("another two", 2, 7.0)]:
        queue.add(name, Demand(gpus=gpus), seconds)
    one, two = placed_now(queue)
    assert (one.item, one.gpus) == ("one", ("g0",))
    assert (two.item, two.gpus) == ("two", ("g1", "g2"))
    queue.release(one)
    (another,) = placed_now(queue)
    assert another.gpus == ("g0", "g3"), "those that are nobody's, in the node's order"


def test_memory_is_shared_out() -> None:
    queue = scheduler(node(cpus=8, memory=10))
    for name in "abc":
        queue.add(name, Demand(memory=4 * GIB), 1.0)
    first, _ = placed_now(queue)
    queue.release(first)
    assert [placed.item for placed in placed_now(queue)] == ["c"]


def test_a_node_that_leaves_gives_back_what_was_running_on_it() -> None:
    queue = scheduler(node("a", 2), node("b", 1))
    for name, seconds in [("x", 3.0), ("y", 2.0), ("z", 1.0)]:
        queue.add(name, CPU, seconds)
    found = {placed.item: placed for placed in placed_now(queue)}
    on_a = {item for item, placed in found.items() if placed.node == "a"}
    assert {placed.item for placed in queue.leave("a")} == on_a
    assert len(on_a) == 2
    assert len(queue) == 0, "what was lost does not wait again by itself"
    assert queue.leave("a") == []
    queue.add("again", CPU, 1.0)
    assert queue.next() is None, "nothing is placed on a node that has left"


def test_a_place_on_a_node_that_has_left_is_not_taken_back() -> None:
    queue = scheduler(node("a", 1))
    queue.add("lost", CPU, 1.0)
    (lost,) = placed_now(queue)
    queue.leave("a")
    queue.release(lost)
    queue.join(node("a", 1))
    queue.release(lost)
    queue.add("x", CPU, 1.0)
    queue.add("y", CPU, 1.0)
    assert len(placed_now(queue)) == 1, "the node has one slot, whatever was on the one before it"


def test_a_place_is_taken_back_once() -> None:
    queue = scheduler(node("a", 1))
    for name in "xyz":
        queue.add(name, CPU, 1.0)
    (placed,) = placed_now(queue)
    queue.release(placed)
    queue.release(placed)
    assert len(placed_now(queue)) == 1


def test_a_node_that_joins_is_used() -> None:
    queue = scheduler()
    queue.add("x", CPU, 1.0)
    assert queue.next() is None
    queue.join(node("late"))
    assert [placed.node for placed in placed_now(queue)] == ["late"]


@pytest.mark.parametrize(
    ("demand", "reason"),
    [
        (Demand(cpus=8), ""),
        (Demand(gpus=2), ""),
        (Demand(cpus=9), "no machine has 9 CPU cores"),
        (Demand(memory=65 * GIB), "no machine has 65.0 GiB of memory"),
        (Demand(gpus=3), "no machine has 3 GPUs"),
        (Demand(cpus=9, gpus=3), "no machine has 9 CPU cores and 3 GPUs"),
        (Demand(cpus=8, gpus=1), "no machine has all that it asks for together"),
    ],
)
def test_a_demand_that_cannot_be_met_has_a_reason(demand: Demand, reason: str) -> None:
    queue = scheduler(node("many cores", cpus=8, memory=64), node("gpus", cpus=2, memory=32, gpus=2))
    assert queue.impossible(demand) == reason
    queue.add("x", demand, 1.0)
    assert (queue.next() is None) == bool(reason)


def test_what_is_possible_is_told_by_what_nodes_have_and_not_by_what_is_free() -> None:
    queue = scheduler(node("a", 1, gpus=1))
    queue.add("x", Demand(gpus=1), 1.0)
    assert placed_now(queue)
    assert queue.impossible(Demand(gpus=1)) == ""
    queue.leave("a")
    assert queue.impossible(Demand(gpus=1)) == "there is no machine to run it on"


def test_a_node_without_a_frameworks_environment_runs_the_others() -> None:
    queue = scheduler(Node("a", 4, 16 * GIB, lacks=frozenset({"jax"})), Node("b", 1, 16 * GIB))
    for name in ("jax", "jax", "pytorch", "pytorch"):
        queue.add(name, Demand(framework=name), 1.0)
    found = [(placed.item, placed.node) for placed in placed_now(queue)]
    assert found == [("jax", "b"), ("pytorch", "a"), ("pytorch", "a")]
    assert queue.impossible(Demand(framework="jax")) == ""
    queue.leave("b")
    assert queue.impossible(Demand(framework="jax"))


def test_what_no_node_can_run_any_more_is_taken_away_and_named() -> None:
    queue = scheduler(node("plain", 1), node("gpus", 1, gpus=1))
    for name, demand in [("x", Demand(gpus=1)), ("y", Demand(gpus=1)), ("z", CPU), ("w", CPU)]:
        queue.add(name, demand, 1.0)
    assert {placed.item for placed in placed_now(queue)} == {"x", "z"}
    assert queue.stranded() == []
    queue.leave("gpus")
    assert queue.stranded() == ["y"]
    assert (len(queue), queue.stranded()) == (1, [])


@dataclass
class Books:
    """What a test has seen of the decisions: what is running, and what of each node is in use."""

    nodes: dict[str, Node]
    running: list[Placed[int]] = field(default_factory=list)

    def on(self, name: str) -> list[Placed[int]]:
        return [placed for placed in self.running if placed.node == name]

    def check(self) -> None:
        for name, each in self.nodes.items():
            here = self.on(name)
            assert sum(placed.demand.cpus for placed in here) <= each.cpus
            assert sum(placed.demand.memory for placed in here) <= each.memory
            taken = [gpu for placed in here for gpu in placed.gpus]
            assert len(set(taken)) == len(taken)
            assert set(taken) <= set(each.gpus)
            assert all(len(placed.gpus) == placed.demand.gpus for placed in here)

    def room_for(self, demand: Demand) -> bool:
        return any(
            each.cpus - sum(placed.demand.cpus for placed in self.on(name)) >= demand.cpus
            and each.memory - sum(placed.demand.memory for placed in self.on(name)) >= demand.memory
            and len(each.gpus) - sum(placed.demand.gpus for placed in self.on(name)) >= demand.gpus
            for name, each in self.nodes.items()
        )


def random_demand(chance: random.Random) -> Demand:
    return Demand(chance.choice([1, 1, 1, 2]), chance.choice([0, 0, 2, 4]) * GIB, chance.choice([0, 0, 0, 1, 2]))


@pytest.mark.parametrize("seed", range(40))
def test_no_node_is_over_committed_and_everything_is_run_once(seed: int) -> None:
    """Random items, nodes, ends and losses; the last node meets every demand and is never lost."""
    chance = random.Random(seed)
    nodes = [node(f"n{i}", chance.randint(1, 4), chance.choice([4, 8]), chance.choice([0, 0, 2])) for i in range(5)]
    nodes.append(node("last", 2, 4, 2))
    books = Books({each.name: each for each in nodes})
    queue: Scheduler[int] = Scheduler(nodes)
    waiting = {item: random_demand(chance) for item in range(chance.randint(1, 80))}
    everything = sorted(waiting)
    for item, demand in waiting.items():
        queue.add(item, demand, chance.choice([0.0, 1.0, chance.random() * 10]))
    done: list[int] = []
    while waiting or books.running:
        while (placed := queue.next()) is not None:
            assert waiting.pop(placed.item) == placed.demand
            books.running.append(placed)
            books.check()
        assert not any(map(books.room_for, waiting.values())), "there is room, and something that would fit waits"
        assert books.running, "nothing runs, and something waits"
        if chance.random() < 0.03 and len(books.nodes) > 1:
            name = chance.choice([name for name in books.nodes if name != "last"])
            lost = books.on(name)
            assert set(queue.leave(name)) == set(lost)
            books.running = [placed for placed in books.running if placed not in lost]
            del books.nodes[name]
            for placed in lost:
                waiting[placed.item] = placed.demand
                queue.add(placed.item, placed.demand, placed.seconds)
        else:
            placed = books.running.pop(chance.randrange(len(books.running)))
            queue.release(placed)
            done.append(placed.item)
    assert sorted(done) == everything
    assert len(queue) == 0
