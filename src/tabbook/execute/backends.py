"""Where notebooks are executed: on this machine, or on the nodes of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tabbook.config import Config
from tabbook.execute.devices import gpus_here
from tabbook.execute.local import execute_here
from tabbook.execute.results import Results
from tabbook.execute.shard import Shard
from tabbook.execute.task import Task

__all__ = ["HERE", "Backend", "Execute", "open_backend"]

Execute = Callable[[Config, Sequence[Task], Results], None]


@dataclass(frozen=True)
class Backend:
    """Who executes what is missing, and which part of it.

    `gpus` tells how many GPUs one machine has at the most.
    """

    execute: Execute = execute_here
    gpus: Callable[[], int] = lambda: len(gpus_here())
    shard: Shard = field(default_factory=Shard)


HERE = Backend()
"""This machine, and everything."""


@contextmanager
def open_backend(name: str, ray_address: str | None, shard: Shard) -> Iterator[Backend]:
    """Use the backend of this name for a while: `local` or `ray`.

    Raises:
        BookError: it cannot be used; the text says what to do.
    """
    if name == "local":
        yield Backend(shard=shard)
        return
    from tabbook.execute.ray_cluster import open_cluster  # noqa: PLC0415 - Ray is not always installed
    from tabbook.execute.ray_hosts import execute_on_nodes  # noqa: PLC0415

    with open_cluster(ray_address) as cluster:

        def execute(config: Config, tasks: Sequence[Task], results: Results) -> None:
            execute_on_nodes(cluster.nodes, config, tasks, results)

        yield Backend(execute, lambda: max((node.gpus for node in cluster.nodes), default=0), shard)
