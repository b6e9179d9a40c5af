"""The simulation's clock, on cases that are worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from benchmarks.simulate_books import KINDS, draw_book
from benchmarks.simulate_model import simulate
from benchmarks.simulate_policies import Balanced, Near
from benchmarks.simulate_values import Cluster, Costs, FrameworkCosts, Policy, Work, lower_bounds

FREE = Costs({"pytorch": FrameworkCosts(), "jax": FrameworkCosts()})
SERVERS = replace(FREE, frameworks={"pytorch": FrameworkCosts(server=10.0), "jax": FrameworkCosts(server=7.0)})


def works(*seconds: float, framework: str = "pytorch") -> list[Work]:
    return [Work(framework, each) for each in seconds]


def test_four_equal_notebooks_take_two_slots_twice_their_time() -> None:
    result = simulate(works(3, 3, 3, 3), Cluster(1, 2), FREE)
    assert (result.wall, result.bound, result.ratio, result.executed) == (6, 6, 1, 4)
    assert (result.share("cells"), result.share("idle")) == (1, 0)


def test_the_longest_first_needs_less_than_the_books_order() -> None:
    """2, 2, 2, 6 on two slots: 6 beside 2 + 2 + 2; in order, the long one begins when two slots are done with 2."""
    book = works(2, 2, 2, 6)
    assert simulate(book, Cluster(1, 2), FREE).wall == 6
    in_order = simulate(book, Cluster(1, 2), FREE, Policy(recorded=False))
    assert in_order.wall == 8
    assert in_order.share("idle") == pytest.approx(1 - 12 / 16)


def test_wrong_expectations_decide_the_order_and_not_the_time() -> None:
    book = [Work("pytorch", 6, expected=1), *(Work("pytorch", 2, expected=5) for _ in range(3))]
    assert simulate(book, Cluster(1, 2), FREE).wall == 8


def test_a_server_is_started_once_a_node_and_framework_while_its_notebooks_wait() -> None:
    result = simulate(works(5, 5, 5), Cluster(1, 2), SERVERS)
    assert result.wall == 10 + 5 + 5
    assert (result.servers, result.seconds["servers"]) == (1, 20)
    both = simulate([*works(5), *works(4, framework="jax")], Cluster(1, 2), SERVERS)
    assert (both.wall, both.servers) == (15, 2)
    assert simulate(works(5, 5), Cluster(2, 1), SERVERS).servers == 2


def test_servers_that_are_started_ahead_overlap() -> None:
    book = [*works(5), *works(4, framework="jax")]
    assert simulate(book, Cluster(1, 1), SERVERS).wall == 10 + 5 + 7 + 4
    assert simulate(book, Cluster(1, 2), SERVERS, Policy(ahead=True)).wall == 15


def test_nodes_without_environments_make_them_side_by_side_first() -> None:
    frameworks = {
        "pytorch": FrameworkCosts(30.0, 30.0, server=1.0, first=3.0, packages=100),
        "jax": FrameworkCosts(20.0, 60.0, server=1.0, first=3.0, packages=50),
    }
    costs = replace(FREE, frameworks=frameworks, node=2.0, bundle=7)
    book = [*works(5), *works(5, framework="jax")]
    result = simulate(book, Cluster(2, 4, ready=False), costs)
    assert result.wall == 2 + 30 + 3 + 5
    assert (result.bytes["packages"], result.bytes["sent"]) == (300, 14)
    assert simulate(book, Cluster(2, 1, ready=False), costs).wall == 2 + 90 + 3 + 5, "one core computes all"
    assert simulate(works(5), Cluster(1, 1, ready=False), costs).bytes["packages"] == 100, "only what is needed"
    assert simulate(book, Cluster(2, 1), costs).wall == 2 + 1 + 5


def test_what_is_in_the_store_is_decided_and_not_run() -> None:
    book = [Work("pytorch", 100, stored=10, fresh=True), Work("pytorch", 4, stored=3)]
    costs = replace(FREE, command=1.0, decide=0.5, load=0.125, open=2.0, close=0.25)
    result = simulate(book, Cluster(1, 1, local=True), costs)
    assert (result.wall, result.executed) == (1 + 2 * 0.5 + 0.125 + 2 + 4 + 0.25, 1)
    assert (result.bytes["loaded"], result.bytes["stored"]) == (10, 3)
    unchanged = simulate(book[:1], Cluster(1, 1, local=True), costs)
    assert (unchanged.wall, unchanged.executed, unchanged.ratio) == (1.625, 0, 0)


def test_the_driver_places_and_keeps_one_at_a_time() -> None:
    """Four at once, but each is placed, carried and kept alone: that of the last one ends after 4 × 3 + 5 + 2."""
    costs = replace(FREE, place=1.0, place_per_node=0.5, carry=1.0, keep=2.0)
    result = simulate(works(20, 20, 20, 20), Cluster(2, 2), costs)
    assert result.wall == 4 * 3 + 20 + 2
    assert result.driver == 4 * 5


def test_a_nodes_process_is_shared_by_its_notebooks() -> None:
    costs = replace(FREE, host=1.0, watch=0.5)
    assert simulate(works(4), Cluster(1, 1), costs).wall == 4, "its own time holds what its node's process does for it"
    assert simulate(works(4, 4), Cluster(1, 2), costs).wall == 3 + 4
    assert simulate(works(4, 4), Cluster(2, 1), costs).wall == 4


def test_gpus_limit_what_runs_at_a_time() -> None:
    book = [Work("pytorch", 10, gpus=1, without=1) for _ in range(4)]
    assert simulate(book, Cluster(1, 4, gpus=2), FREE).wall == 20
    assert lower_bounds(book, Cluster(1, 4, gpus=2)) == {"slots": 10, "gpus": 20, "longest": 10}
    assert simulate(book, Cluster(1, 4), FREE).wall == 1, "without GPUs their cells are left out"


def test_lost_nodes_lose_time_and_no_notebooks() -> None:
    cluster = Cluster(20, 2, losses=60.0)
    costs = replace(SERVERS, detect=3.0)
    book = works(*[30.0] * 200)
    result = simulate(book, cluster, costs, seed=1)
    assert result.losses > 0
    assert result.again > 0
    assert result.seconds["lost"] > 0
    assert result.executed + result.unfinished == len(book)
    assert result.wall > simulate(book, replace(cluster, losses=0.0), costs).wall
    assert result.slot_seconds < cluster.slots * result.wall, "a lost node's slots are idle no more"
    again = simulate(book, cluster, costs, seed=1)
    assert (again.wall, again.losses) == (result.wall, result.losses), "one seed, one fate"


def test_a_build_whose_nodes_are_all_lost_ends() -> None:
    result = simulate(works(*[1000.0] * 10), Cluster(2, 1, losses=3600.0), FREE)
    assert (result.losses, result.executed, result.unfinished) == (2, 0, 10)


@pytest.mark.parametrize("policy", [Policy(), Policy(Near), Policy(Balanced), Policy(ahead=True)])
def test_every_policy_runs_everything_once_and_is_no_better_than_the_bound(policy: Policy) -> None:
    book = draw_book(RECORDED, 300, KINDS["training"])
    result = simulate(book, Cluster(3, 4, gpus=2), SERVERS, policy)
    assert result.executed == 300
    assert result.unfinished == 0
    assert 1 <= result.ratio < 1.5
    used = ["cells", "servers", "environments", "lost", "idle"]
    assert sum(result.share(kind) for kind in used) == pytest.approx(1)


def test_affinity_starts_fewer_servers() -> None:
    book = [*works(*[4.0] * 6), *works(*[3.0] * 6, framework="jax")]
    started = [simulate(book, Cluster(4, 3), SERVERS, Policy(each)).servers for each in (Near, Balanced)]
    assert started == [4, 4]
    assert simulate(book, Cluster(4, 3), SERVERS).servers == 8


RECORDED: list[dict[str, Any]] = [
    {"page": page, "framework": framework, "seconds": seconds, "stored": 1000, "sent": 100}
    for page, factor in (("a", 1.0), ("b", 1.5))
    for framework, seconds in (("pytorch", 1.0), ("jax", 6.0))
]


def test_drawn_books_are_alike_in_all_but_size_and_share() -> None:
    small, large = draw_book(RECORDED, 40, KINDS["training"]), draw_book(RECORDED, 400, KINDS["training"])
    assert [work.seconds for work in small] == [work.seconds for work in large[:40]]
    assert not any(work.fresh for work in large)
    half = draw_book(RECORDED, 400, KINDS["training"], fresh=0.5)
    assert [work.seconds for work in half] == [work.seconds for work in large]
    assert 150 < sum(work.fresh for work in half) < 250
    assert {work.gpus for work in large} == {0, 1, 2}
    assert not any(work.gpus for work in draw_book(RECORDED, 400, KINDS["light"]))
