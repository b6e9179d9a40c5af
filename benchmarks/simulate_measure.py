"""What a run costs beside the cells, measured on this machine with tabbook's own parts.

Where it is computing that is measured, CPU seconds are: they do not depend on who else uses the machine.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

import psutil  # type: ignore[import-untyped, unused-ignore]

from benchmarks.book import REPOSITORY
from benchmarks.kernels import clean_environ, imports_of, kernel_environ
from benchmarks.results import circumstances
from benchmarks.simulate_driver import cpu_seconds, measure_driver
from benchmarks.simulate_runs import run_here, run_on_ray
from benchmarks.simulate_trace import read_runs
from tabbook.config import Config, load_config
from tabbook.environments import EnvironmentFailure, environment_python, make_environments
from tabbook.execute.fork_provisioner import ForkServer
from tabbook.execute.ray_bundle import pack

__all__ = ["PARTS", "measure"]

_ROUNDS = 3
_LOST_AFTER = 20


def measure(names: Sequence[str]) -> dict[str, Any]:
    """Return what the named parts measure, each with when and on what."""
    found: dict[str, Any] = {}
    for name in names:
        print(f"measuring: {name} (load {os.getloadavg()[0]:.1f})", file=sys.stderr, flush=True)
        about = circumstances()
        found[name] = {**PARTS[name](), "circumstances": about}
    return found


def measure_servers() -> dict[str, Any]:
    """Start each framework's fork server, alone, as execute/machine.py does."""
    config = load_config(REPOSITORY)
    pythons = {name: environment_python(config.environments_dir, name) for name in config.tabs}
    return {"frameworks": {name: _server(config, name, python, _ROUNDS) for name, python in pythons.items()}}


def measure_environments() -> dict[str, Any]:
    """Make each framework's environment as on a node that has nothing, its packages' cache included."""
    config = load_config(REPOSITORY)
    return {"frameworks": {name: _environment(config, name) for name in config.tabs}}


def measure_run() -> dict[str, Any]:
    """Execute the book with one worker: how long each notebook runs, and what a run takes from whom besides."""
    found = run_here("real", 1)
    runs = read_runs(found)
    slope, fixed = linear_regression([run.seconds for run in runs], [run.cpu for run in runs])
    first = {run.framework: run for run in sorted(runs, key=lambda run: -run.began)}
    return {
        "notebooks": [
            {
                "page": run.page,
                "framework": run.framework,
                "seconds": round(run.seconds, 3),
                "stored": found["stored"][f"{run.framework}/{run.page}"],
                "sent": run.sent,
            }
            for run in runs
        ],
        "opened": found["opened_cpu"],
        "opened_wall": found["opened"],
        "closing": found["ended"] - found["placed"],
        "host": max(0.0, fixed),
        "watch": max(0.0, slope),
        "beside": median(run.waited for run in runs if run not in first.values()),
        "keep": median(found["keep"]),
    }


def measure_ray() -> dict[str, Any]:
    """Execute notebooks on two simulated nodes, and lose one of three; the nodes and the driver share this machine."""
    config = load_config(REPOSITORY)
    found, lossy = run_on_ray("sleepers", 2), run_on_ray("sleepers", 3, lose_after=_LOST_AFTER)
    runs = read_runs(found)
    first = {(run.node, run.framework): run for run in sorted(runs, key=lambda run: -run.began)}
    lost = [run for run in read_runs(lossy) if run.lost]
    return {
        "notebooks": len(runs),
        "opened": found["opened"],
        "closing": found["ended"] - found["placed"],
        "carry": max(0.0, (found["cpu"] - found["keep_cpu"]) / len(runs)),
        "beside": median(run.waited for run in runs if run not in first.values()),
        "bundle": len(pack(config, list(config.tabs))),
        "detect": min(run.ended for run in lost) - lossy["lost"],
        "lost": len(lost),
        "unfinished": len(lossy["waiting"]) - sum(not run.lost for run in read_runs(lossy)),
    }


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "driver": measure_driver,
    "servers": measure_servers,
    "environments": measure_environments,
    "run": measure_run,
    "ray": measure_ray,
}


def _server(config: Config, name: str, python: Path, rounds: int) -> dict[str, float]:
    """Return the seconds of a server's start, of the fastest of several; CPU seconds in the middle; and its memory."""
    framework = config.frameworks[name]
    imports = imports_of(config, framework).splitlines()
    environ = {**clean_environ(), **kernel_environ(config, framework)}
    walls, memories = [], []

    async def start() -> None:
        with tempfile.TemporaryDirectory(prefix="tb-") as folder:
            began = time.monotonic()
            server = await ForkServer.start(python, environ, imports, framework.check, Path(folder))
            walls.append(time.monotonic() - began)
            memories.append(sum(child.memory_full_info().pss for child in psutil.Process().children()))
            await server.stop()

    cpu = median(cpu_seconds(lambda: asyncio.run(start())) for _ in range(rounds))
    return {"seconds": min(walls), "cpu": cpu, "memory": median(memories)}


def _environment(config: Config, name: str) -> dict[str, float]:
    """Return what making an environment takes, and the first start of a server in it, which compiles all it imports."""
    wanted = {name: config.frameworks[name].requirements}
    with tempfile.TemporaryDirectory(prefix="tb-sim-") as folder, _variable("UV_CACHE_DIR", f"{folder}/cache"):
        place = Path(folder) / "made"
        failures: list[EnvironmentFailure] = []

        def make() -> None:
            made = make_environments(wanted, place, lambda _: None)
            failures.extend(each for each in made.values() if isinstance(each, EnvironmentFailure))

        began = time.monotonic()
        cpu = cpu_seconds(make)
        wall = time.monotonic() - began
        if failures:
            raise RuntimeError(f"{failures[0].name}: {failures[0].reason}")
        size = _size(place)
        first = _server(config, name, environment_python(place, name), rounds=1)
        return {"seconds": wall, "cpu": cpu, "bytes": size, "first_start": first["cpu"]}


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
