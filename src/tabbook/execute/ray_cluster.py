"""The connection to a Ray cluster, and what its nodes have."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tabbook.errors import BookError

__all__ = ["Cluster", "ClusterNode", "open_cluster"]

_SECONDS = 5.0
_HINT = "name the head of a running cluster: --ray-address HOST:PORT, as `ray start --head` has shown it"


@dataclass(frozen=True)
class ClusterNode:
    """A node, and what it gives; memory in bytes."""

    id: str
    name: str
    cpus: int
    memory: int
    gpus: int


class Cluster:
    """A cluster that is connected to when its nodes are first asked for."""

    def __init__(self, connect: Callable[[], None]) -> None:
        self._connect = connect

    @cached_property
    def nodes(self) -> Sequence[ClusterNode]:
        """The nodes on which something can run. Those that join later are not used."""
        self._connect()
        import ray  # noqa: PLC0415 - as in _connect

        return _nodes(ray.nodes())


@contextmanager
def open_cluster(address: str | None, environ: Mapping[str, str] = os.environ) -> Iterator[Cluster]:
    """Use the cluster at an address, or one that is started on this machine, for a while.

    Raises:
        BookError: Ray is not installed, or the address is none.
    """
    if importlib.util.find_spec("ray") is None:
        hint = "make execute BACKEND=ray installs it, or: pip install --requirement requirements/ray.txt"
        raise BookError(f"--backend ray: Ray is not installed here.\n    hint: {hint}")
    address = address or environ.get("RAY_ADDRESS")
    if address:
        _require_listener(address)
    connected = False

    def connect() -> None:
        nonlocal connected
        connected = True
        _connect(address)

    try:
        yield Cluster(connect)
    finally:
        if connected:
            import ray  # noqa: PLC0415 - as in _connect

            ray.shutdown()


def _connect(address: str | None) -> None:
    # Ray reads them when it is imported, and so do those that it starts.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray  # noqa: PLC0415 - it takes most of a second

    handler = signal.getsignal(signal.SIGTERM)  # Ray puts its own there, and ours ends a build as Ctrl-C does
    try:
        # Ray prints what happens to nodes on our standard output, and has no setting against it; we say it ourselves.
        ray._private.worker._worker_logs_enabled = False
        ray.init(address or "local", include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        hint = "run this on a machine of the cluster, with its token and RAY_AUTH_MODE=token if it asks for one"
        raise BookError(f"{address or 'Ray'}: the cluster cannot be used: {reason}\n    hint: {hint}") from None
    finally:
        signal.signal(signal.SIGTERM, handler)


def _require_listener(address: str) -> None:
    """Refuse an address where nobody listens; Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdecimal():
        raise BookError(f"{address}: not the address of a Ray cluster.\n    hint: {_HINT}")
    try:
        socket.create_connection((host, int(port)), timeout=_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise BookError(f"{address}: no Ray cluster answers there: {error}\n    hint: {_HINT}") from None


def _nodes(found: Sequence[Mapping[str, Any]]) -> list[ClusterNode]:
    """Return the living nodes that have a CPU to run notebooks on, each by a name of its own."""
    usable = [node for node in found if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    hosts = Counter(node["NodeManagerHostname"] for node in usable)
    nodes = []
    for node in usable:
        host, resources = node["NodeManagerHostname"], node["Resources"]
        name = host if hosts[host] == 1 else f"{host}-{node['NodeID'][:6]}"
        memory, gpus = int(resources.get("memory", 0)), int(resources.get("GPU", 0))
        nodes.append(ClusterNode(node["NodeID"], name, int(resources["CPU"]), memory, gpus))
    return sorted(nodes, key=lambda node: node.name)
