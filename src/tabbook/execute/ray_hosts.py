"""Execute tasks on the nodes of a Ray cluster: the placing is ours, Ray carries notebooks there and outputs back."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tabbook.config import Config
from tabbook.errors import BookError
from tabbook.execute.job import HostLostError, Job, Outcome
from tabbook.execute.ray_actor import NodeActor
from tabbook.execute.ray_bundle import pack
from tabbook.execute.ray_cluster import ClusterNode
from tabbook.execute.ray_protocol import Header, Ready, code_digest
from tabbook.execute.results import Results
from tabbook.execute.running import require_possible, run_tasks
from tabbook.execute.schedule import Node
from tabbook.execute.task import Task
from tabbook.execute.waiting import waiting_tasks
from tabbook.pins import versions_part

__all__ = ["execute_on_nodes"]

_ANSWER_SECONDS = 30.0
_END_SECONDS = 1.5
_SENT = ("SOURCE_DATE_EPOCH",)
"""The variables that outputs depend on; all others are those of the nodes."""


class _NodeUnusedError(Exception):
    """Why a node is not used."""


class RayHost:
    """A node of the cluster as one that executes notebooks; `missing` says which frameworks it lacks, and why."""

    def __init__(self, node: Node, missing: Mapping[str, str], actor: Any) -> None:
        self.node = node
        self.missing = missing
        self._actor = actor

    async def run(self, job: Job, gpus: tuple[str, ...]) -> Outcome:
        """Execute a notebook there.

        Raises:
            HostLostError: the node is gone.
        """
        try:
            content = await self._actor.run.remote(json.dumps(asdict(job)), list(gpus))
        except RayTaskError:  # an error in our own code
            raise
        except RayError as error:
            ray.kill(self._actor)  # if it is only out of reach, it is not to go on either
            raise HostLostError(f"{self.node.name} was lost ({type(error).__name__})") from error
        return Outcome.from_bytes(content)


def execute_on_nodes(nodes: Sequence[ClusterNode], config: Config, tasks: Sequence[Task], results: Results) -> None:
    """Execute tasks on nodes; each makes the environments that it lacks first.

    Raises:
        BookError: no node could ever run one of them, or none can be used; then none is run.
    """
    has = {"node": len(nodes), "CPU": sum(node.cpus for node in nodes), "GPU": sum(node.gpus for node in nodes)}
    results.progress.line("Ray: " + ", ".join(f"{number} {name}{'s' * (number != 1)}" for name, number in has.items()))
    # What no node could ever run is refused before anything is started or installed.
    planned = [Node(node.name, node.cpus, node.memory, tuple(map(str, range(node.gpus)))) for node in nodes]
    require_possible(waiting_tasks(config, tasks, results.store), planned)
    asyncio.run(_execute(nodes, config, tasks, results))


async def _execute(nodes: Sequence[ClusterNode], config: Config, tasks: Sequence[Task], results: Results) -> None:
    frameworks = sorted({task.framework.name for task in tasks})
    async with _actors(nodes, results) as actors:
        bundle = pack(config, frameworks)
        sent = ray.put(bundle)
        starting = (_start(node, actors[node.id], config, frameworks, (sent, len(bundle))) for node in nodes)
        hosts = []
        for node, found in zip(nodes, await asyncio.gather(*starting, return_exceptions=True), strict=True):
            if isinstance(found, RayHost):
                hosts.append(found)
            elif isinstance(found, _NodeUnusedError):
                results.progress.line(f"{node.name}: not used: {found}")
            else:
                raise found
        if not hosts:
            raise BookError(
                "--backend ray: the cluster has no machine that can be used.\n    hint: see the lines above"
            )
        await run_tasks(waiting_tasks(config, _possible(tasks, hosts, results), results.store), hosts, results)


def _possible(tasks: Sequence[Task], hosts: Sequence[RayHost], results: Results) -> list[Task]:
    """Return the tasks whose frameworks have an environment somewhere; say where there is none, and why."""
    lacking = {task.framework.name: task.framework.title for task in tasks}
    for name, title in list(lacking.items()):
        reasons = {host.node.name: host.missing[name] for host in hosts if name in host.missing}
        if len(reasons) == len(hosts):
            results.summary.missing[name] = "; ".join(f"{node}: {reason}" for node, reason in reasons.items())
        else:
            del lacking[name]
            for node, reason in reasons.items():
                results.progress.line(f"{node}: {title} has no environment there, and is run elsewhere: {reason}")
    possible = [task for task in tasks if task.framework.name not in lacking]
    results.summary.unexecuted += len(tasks) - len(possible)
    return possible


@asynccontextmanager
async def _actors(nodes: Sequence[ClusterNode], results: Results) -> AsyncIterator[dict[str, Any]]:
    """Have an actor on each node for a while, which has all of its CPUs and GPUs."""
    remote = ray.remote(NodeActor)
    actors = {
        node.id: remote.options(
            num_cpus=node.cpus,
            num_gpus=node.gpus,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
        ).remote()
        for node in nodes
    }
    reporting = [asyncio.create_task(_report(node.name, actors[node.id], results)) for node in nodes]
    try:
        yield actors
    finally:
        for task in reporting:
            task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                await asyncio.gather(*(actor.close.remote() for actor in actors.values()), return_exceptions=True)
        for actor in actors.values():
            ray.kill(actor)


async def _report(name: str, actor: Any, results: Results) -> None:
    """Pass on what a node has to say, until it is gone."""
    try:
        while True:
            for line in await actor.reports.remote():
                results.progress.line(f"{name}: {line}")
    except RayError:
        pass


async def _start(
    node: ClusterNode, actor: Any, config: Config, frameworks: Sequence[str], bundle: tuple[Any, int]
) -> RayHost:
    """Return a node that is ready.

    Raises:
        _NodeUnusedError: it does not become so.
    """
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            greeting = await actor.hello.remote()
        if greeting["code"] != code_digest():
            raise _NodeUnusedError("its tabbook is another one than here; bring both to the same commit")
        header = Header(
            size=bundle[1],
            name=node.name,
            cpus=node.cpus,
            memory=node.memory,
            gpus=greeting["gpus"],
            frameworks=list(frameworks),
            environ={name: os.environ[name] for name in _SENT if name in os.environ},
        )
        ready: Ready = await actor.start.remote(header, bundle[0])
    except TimeoutError:
        raise _NodeUnusedError(f"no answer within {_ANSWER_SECONDS:g} seconds; is it busy with other work?") from None
    except RayError as error:
        raise _NodeUnusedError(_last_line(error)) from None
    missing = {**ready["missing"], **_other_versions(config, ready)}
    gpus = tuple(ready["gpus"])
    return RayHost(Node(node.name, ready["cpus"], ready["memory"], gpus, frozenset(missing)), missing, actor)


def _other_versions(config: Config, ready: Ready) -> dict[str, str]:
    """Return the frameworks by whose versions a node would make other outputs than the keys say, and why."""
    reason = "it runs other versions than the keys of the outputs name; see TABBOOK_PYTHON_… on both machines"
    here = {name: list(asdict(versions_part(config.frameworks[name])).values()) for name in ready["versions"]}
    return {name: reason for name, versions in ready["versions"].items() if versions != here[name]}


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
