"""A Ray cluster of several nodes on this machine, in a process of its own.

Ray's threads are not to be in the tests' process, which forks. The program starts the cluster, says where it is, kills
the nodes whose numbers it is told, and ends the cluster with its standard input.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

__all__ = ["RayNodes", "ray_nodes"]


_OBJECTS = 80 * 2**20  # bytes of shared memory that Ray takes for each node


@dataclass(frozen=True)
class RayNodes:
    """A running cluster: where its head listens, and the program that keeps it."""

    address: str
    program: subprocess.Popen[str]

    def kill_node(self, number: int) -> None:
        """End a node at once, by SIGKILL, as a power failure would; 0 is the head."""
        assert self.program.stdin is not None
        self.program.stdin.write(f"{number}\n")
        self.program.stdin.flush()


@contextmanager
def ray_nodes(nodes: list[dict[str, Any]], environ: Mapping[str, str]) -> Iterator[Callable[[], RayNodes]]:
    """Run a cluster of nodes with these resources for a while; the first is its head.

    It takes seconds to start, so what is given is a function that waits for it.
    """
    program = subprocess.Popen(
        [sys.executable, __file__, json.dumps(nodes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # if it is killed, Ray kills all of its process group
        env={**environ, "RAY_USAGE_STATS_ENABLED": "0"},
        text=True,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    try:
        output = program.stdout
        yield lambda: RayNodes(output.readline().strip(), program)
    finally:
        program.stdin.close()
        program.wait(timeout=60)


def _main() -> None:
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - the tests' process is to have nothing of Ray

    cluster = Cluster()
    nodes: list[Any] = []
    for resources in json.loads(sys.argv[1]):
        head = {} if nodes else {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
        nodes.append(cluster.add_node(object_store_memory=_OBJECTS, **head, **resources))
    print(cluster.address, flush=True)
    for line in sys.stdin:
        cluster.remove_node(nodes[int(line)], allow_graceful=False)
    cluster.shutdown()


if __name__ == "__main__":
    _main()
