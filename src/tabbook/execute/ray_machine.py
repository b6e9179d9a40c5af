"""The program that executes notebooks on a node of a cluster, for the actor that has started it (see ray_actor).

It is a process of its own, since kernels are not to inherit the threads and settings of a Ray worker. And it is
nobody's child: Ray ends a worker's children by SIGKILL, which would leave kernels behind. Whatever ends the actor, its
end of the pipe is closed; then this program ends what it has started, and itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from tabbook.config import Framework
from tabbook.environments import Environment, EnvironmentFailure, environment_stamp, make_environments
from tabbook.execute.devices import Gpu
from tabbook.execute.job import Job
from tabbook.execute.machine import Machine, open_machine
from tabbook.execute.ray_bundle import unpack
from tabbook.execute.ray_protocol import LONGEST_LINE, Header, Ready
from tabbook.execute.schedule import Node
from tabbook.pins import versions_part

__all__ = ["environment_folder", "main"]

Answer = Callable[[Mapping[str, Any]], None]


def main() -> None:
    if os.fork():
        os._exit(0)
    os.setsid()
    signal.pthread_sigmask(signal.SIG_SETMASK, [])  # Ray's workers block some, and kernels would inherit it
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # whatever else is printed is for Ray's log
    try:
        asyncio.run(_serve(_answer_to(answers)))
    finally:
        # All is cleared away. If packages are still being installed, nobody waits for them any more.
        os.killpg(0, signal.SIGKILL)


def environment_folder(requirements: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return where a node keeps the environment made from these requirements, for all books and builds."""
    home = environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(environ.get("TABBOOK_CACHE") or Path(home) / "tabbook")
    stamp = environment_stamp(requirements) if requirements and requirements.is_file() else ""
    return cache / "environments" / hashlib.sha256(stamp.encode()).hexdigest()[:16]


def _answer_to(stream: TextIO) -> Answer:
    lock = threading.Lock()  # environments are made, and reported, by threads

    def answer(message: Mapping[str, Any]) -> None:
        with lock:
            stream.write(json.dumps(message) + "\n")
            stream.flush()

    return answer


async def _serve(answer: Answer) -> None:
    requests = asyncio.StreamReader(LONGEST_LINE)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
    header: Header = json.loads(await requests.readline())
    bundle = await requests.readexactly(header["size"])
    os.environ.update(header["environ"])
    jobs: asyncio.Queue[bytes] = asyncio.Queue()
    with tempfile.TemporaryDirectory(prefix="tb-", ignore_cleanup_errors=True) as folder:
        tasks = (
            asyncio.create_task(_receive(requests, jobs)),
            asyncio.create_task(_work(header, bundle, Path(folder), jobs, answer)),
        )
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _receive(requests: asyncio.StreamReader, jobs: asyncio.Queue[bytes]) -> None:
    """Pass requests on until the actor is gone."""
    async for line in requests:
        jobs.put_nowait(line)


async def _work(header: Header, bundle: bytes, folder: Path, jobs: asyncio.Queue[bytes], answer: Answer) -> None:
    def report(text: str) -> None:
        answer({"report": text})

    try:
        config = unpack(bundle, folder)
        frameworks = [config.frameworks[name] for name in header["frameworks"]]
        made = await asyncio.to_thread(_make_environments, frameworks, report)
    except Exception as error:
        answer({"failed": f"{type(error).__name__}: {error}"})
        raise
    environments = {name: result for name, result in made.items() if isinstance(result, Environment)}
    missing = {name: result.reason for name, result in made.items() if isinstance(result, EnvironmentFailure)}
    gpus = [Gpu(**gpu) for gpu in header["gpus"]]
    part = Node(header["name"], header["cpus"], header["memory"], tuple(gpu.id for gpu in gpus))
    async with open_machine(config, environments, gpus, report, part) as machine:
        answer({"ready": _ready(machine, [config.frameworks[name] for name in environments], missing)})
        async with asyncio.TaskGroup() as group:
            while True:
                request = json.loads(await jobs.get())
                group.create_task(_execute(machine, request, answer))


def _make_environments(
    frameworks: Sequence[Framework], report: Callable[[str], None]
) -> dict[str, Environment | EnvironmentFailure]:
    def make(framework: Framework) -> Environment | EnvironmentFailure:
        folder = environment_folder(framework.requirements)
        return make_environments({framework.name: framework.requirements}, folder, report)[framework.name]

    with ThreadPoolExecutor(max_workers=len(frameworks) or 1) as pool:
        return {result.name: result for result in pool.map(make, frameworks)}


def _ready(machine: Machine, frameworks: Sequence[Framework], missing: dict[str, str]) -> Ready:
    versions = {framework.name: list(asdict(versions_part(framework)).values()) for framework in frameworks}
    node = machine.node
    return Ready(cpus=node.cpus, memory=node.memory, gpus=list(node.gpus), versions=versions, missing=missing)


async def _execute(machine: Machine, request: Mapping[str, Any], answer: Answer) -> None:
    job = Job(**{**request["job"], "sources": tuple(request["job"]["sources"])})
    outcome = await machine.run(job, tuple(request["gpus"]))
    answer({"number": request["number"], "outcome": outcome.to_bytes().decode("utf-8", "surrogatepass")})


if __name__ == "__main__":
    main()
