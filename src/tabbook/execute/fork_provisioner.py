"""Start kernels by fork servers: jupyter_client's seam for starting them in another way than as a new process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Unicode

__all__ = ["ForkProvisioner", "ForkServer", "ForkServerError"]

_KILL_SECONDS = 5.0
_PROGRAM = Path(__file__).with_name("fork_server.py")


class ForkServerError(Exception):
    """The server could not be started, or forking is not safe here; the text says why."""


class ForkServer:
    """A running fork server; `socket` is where it listens."""

    def __init__(self, process: asyncio.subprocess.Process, path: Path) -> None:
        self._process = process
        self.socket = path

    @classmethod
    async def start(
        cls, python: Path, environ: Mapping[str, str], imports: Sequence[str], check: str, folder: Path
    ) -> ForkServer:
        """Start a server in an empty folder; wait until it has made its imports and proved that forking is safe.

        Args:
            python: the framework's own interpreter.
            environ: its environment variables.
            imports: statements to be made before any fork; one that fails is left to the notebooks.
            check: code that a first child must run to its end.
            folder: where its socket is made; the path must be short.

        Raises:
            ForkServerError: the server ended, or its first child did not come to its end.
        """
        path = folder / "fork"
        process = await asyncio.create_subprocess_exec(
            str(python), "-P", str(_PROGRAM), str(path), json.dumps({"imports": list(imports), "check": check}),
            env=dict(environ), cwd=folder, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdout is not None
        server = cls(process, path)
        try:
            answer = ""
            # What an import prints comes before the answer, which is a line of JSON.
            while not answer.startswith("{"):
                line = await process.stdout.readline()
                if not line:
                    raise ForkServerError("its process ended")
                answer = line.decode(errors="replace")
            if problem := json.loads(answer)["problem"]:
                raise ForkServerError(problem)
        except BaseException:
            await server.stop()
            raise
        return server

    async def stop(self) -> None:
        """End the server and all kernels that it has forked."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                # Not `terminate`, which may take the exit status away from asyncio.
                os.kill(self._process.pid, signal.SIGTERM)
        await self._process.wait()


class _ForkedKernel:
    """A kernel that a fork server has forked, with what jupyter_client uses of `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, server: str, request: Mapping[str, Any]) -> None:
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(server)
        self._connection.sendall(json.dumps(request).encode() + b"\n")
        self._answers = self._connection.makefile("rb")
        self.pid: int = json.loads(self._answers.readline())["pid"]
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, or None while the kernel runs."""
        return self.returncode if self.returncode is not None else self._read_status(blocking=False)

    def wait(self) -> int | None:
        return self.returncode if self.returncode is not None else self._read_status(blocking=True)

    def fileno(self) -> int:
        """Return the connection's number: it can be read when the kernel has ended."""
        return self._connection.fileno()

    def send_signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _read_status(self, blocking: bool) -> int | None:
        readable, _, _ = select.select([self._connection], [], [], None if blocking else 0)
        if not readable:  # nothing said yet
            return None
        line = self._answers.readline()
        # The end of the connection without a word: the server is gone, and its kernels with it.
        self.returncode = int(json.loads(line)["status"]) if line else -signal.SIGKILL
        self._answers.close()
        self._connection.close()
        return self.returncode


class ForkProvisioner(LocalProvisioner):
    """Like a local kernel, but forked by the server that listens on `socket`."""

    socket = Unicode()

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        assert self.parent is not None
        request = {
            "connection_file": self.parent.connection_file,
            "cwd": kwargs["cwd"],
            "environ": dict(kwargs["env"]),
        }
        kernel = _ForkedKernel(self.socket, request)
        self.process = kernel  # type: ignore[assignment]  # it has what the base class uses of a Popen
        self.pid = self.pgid = kernel.pid
        return self.connection_info

    async def kill(self, restart: bool = False) -> None:
        """Kill the kernel and wait until the server tells its end; jupyter_client would look ten times a second."""
        kernel = self.process
        await super().kill(restart)
        if isinstance(kernel, _ForkedKernel) and kernel.poll() is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_readable(kernel), _KILL_SECONDS)


async def _readable(kernel: _ForkedKernel) -> None:
    loop, ready, number = asyncio.get_running_loop(), asyncio.Event(), kernel.fileno()
    loop.add_reader(number, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(number)
