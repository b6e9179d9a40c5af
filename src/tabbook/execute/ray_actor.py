"""What stands for a node in a Ray cluster: it starts the node's program (ray_machine) and hands everything on."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from dataclasses import asdict
from itertools import count
from typing import Any

from tabbook.execute.devices import Gpu, gpus_here
from tabbook.execute.ray_protocol import LONGEST_LINE, Header, Ready, code_digest

__all__ = ["NodeActor"]

_RAYS_OWN = ("PYTHONBREAKPOINT", "SPT_NOENV", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")


class NodeActor:
    """A node's side of the connection, run by a Ray worker."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[Ready] | None = None
        self._numbers = count()
        self._outcomes: dict[int, asyncio.Future[bytes]] = {}
        self._reports: asyncio.Queue[str] = asyncio.Queue()
        self._closing = False

    async def hello(self) -> dict[str, Any]:
        """Return the digest of the code that would run here, and the GPUs that Ray has given us."""
        import ray  # noqa: PLC0415 - here it is always there

        return {"code": code_digest(), "gpus": [asdict(gpu) for gpu in _gpus(ray.get_gpu_ids())]}

    async def start(self, header: Header, bundle: bytes) -> Ready:
        """Start the node's program, and wait until it can execute notebooks.

        Raises:
            RuntimeError: it cannot; the text says why.
        """
        environ = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "tabbook.execute.ray_machine", stdin=PIPE, stdout=PIPE, limit=LONGEST_LINE,
            env={name: value for name, value in environ.items() if name not in _RAYS_OWN},
        )  # fmt: skip
        assert self._process.stdin is not None
        self._ready = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read())
        self._process.stdin.write(json.dumps(header).encode() + b"\n" + bundle)
        await self._process.stdin.drain()
        return await self._ready

    async def reports(self) -> list[str]:
        """Return what the program has to say to the author, as soon as there is anything."""
        found = [await self._reports.get()]
        while not self._reports.empty():
            found.append(self._reports.get_nowait())
        return found

    async def run(self, job: str, gpus: list[str]) -> bytes:
        """Execute a notebook, given as JSON; return its outcome's bytes."""
        assert self._process is not None
        assert self._process.stdin is not None
        number = next(self._numbers)
        outcome: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._outcomes[number] = outcome
        request = {"number": number, "job": json.loads(job), "gpus": gpus}
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        return await outcome

    async def close(self) -> None:
        """End the program, and wait for its end."""
        self._closing = True
        if self._process is not None and self._process.stdin is not None and self._reading is not None:
            self._process.stdin.close()
            await self._reading

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        assert self._ready is not None
        async for line in self._process.stdout:
            said = json.loads(line)
            if "report" in said:
                self._reports.put_nowait(said["report"])
            elif "ready" in said:
                self._ready.set_result(said["ready"])
            elif "failed" in said:
                self._ready.set_exception(RuntimeError(said["failed"]))
            else:
                self._outcomes.pop(said["number"]).set_result(said["outcome"].encode("utf-8", "surrogatepass"))
        if not self._closing and not self._ready.done():
            self._ready.set_exception(RuntimeError("its program ended; Ray's logs on that machine say more"))
        elif not self._closing and self._ready.exception() is None:
            os._exit(1)  # then Ray says to whoever waits that this node is lost


def _gpus(numbers: list[Any]) -> list[Gpu]:
    """Return the GPUs that Ray calls so; those that no driver knows of keep Ray's names."""
    names = [str(number) for number in numbers]
    known = gpus_here({"CUDA_VISIBLE_DEVICES": ",".join(names)})
    return list(known) if len(known) == len(names) else [Gpu(name, "GPU", 0) for name in names]
