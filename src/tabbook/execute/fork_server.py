"""A process that has imported a framework once and forks a kernel for each notebook.

It is run by the framework's own interpreter, so it uses the standard library and ipykernel only. It runs no operation
of the framework, opens no device and starts no thread: what it has done before a fork, every kernel has done.

One connection to its socket is one kernel. The client sends a line of JSON (connection_file, cwd, environ); the server
answers ``{"pid": …}`` and, when the kernel has ended, ``{"status": …}`` (the exit status, negative for a signal). A
client that goes away takes its kernel with it, and the end of standard input, which says that the server's parent is
gone, ends all at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import select
import selectors
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any, NoReturn

__all__ = ["main"]

_CHECK_SECONDS = 60

_KERNEL = [
    "import ipykernel.ipkernel, ipykernel.kernelapp",
    # What a kernel imports while it starts, and each would import for itself.
    "import faulthandler, sqlite3, tornado.gen, tornado.locks, tornado.queues, tornado.platform.asyncio",
    "import IPython.core.completerlib, IPython.core.debugger, IPython.core.oinspect, IPython.extensions.storemagic",
]


def main() -> None:
    """Serve: ``fork_server.py SOCKET OPTIONS``; the options are JSON with `imports` (statements) and `check` (code)."""
    path, options = sys.argv[1], json.loads(sys.argv[2])
    _end_with_parent(True)
    # ipykernel ends a kernel whose parent this is no longer; it reads the variable when it is imported.
    os.environ["JPY_PARENT_PID"] = str(os.getpid())
    # Nobody debugs these kernels; ipykernel sees that there is no debugger, and no kernel imports it.
    sys.modules["debugpy"] = None  # type: ignore[assignment]
    _import([*options["imports"], *_KERNEL])
    gc.collect()
    gc.freeze()  # a collection in a kernel would otherwise write to, and so copy, all that is shared
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        problem = _problem(options["check"])
        _end_with_parent(False)  # from now on the server looks itself, and ends its kernels first
        print(json.dumps({"problem": problem}), flush=True)
        _Server(listener).serve()


def _end_with_parent(at_once: bool) -> None:
    """Have the system end this process group, in whatever import or check it is, when standard input ends; or not."""
    flags = fcntl.fcntl(0, fcntl.F_GETFL) & ~os.O_ASYNC
    fcntl.fcntl(0, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(0, fcntl.F_SETFL, flags | os.O_ASYNC if at_once else flags)
    if select.select([0], [], [], 0)[0]:  # it has ended already
        sys.exit()


def _import(statements: Sequence[str]) -> None:
    for statement in statements:
        # What cannot be imported here fails in the notebook that imports it, where its author sees it.
        with contextlib.suppress(ImportError):
            exec(compile(statement, "<imports>", "exec"), {})


def _problem(check: str) -> str:
    """Fork a child that runs `check`; return why forking is not safe here, or nothing."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            with contextlib.suppress(ImportError):  # what could not be imported before cannot break now
                exec(compile(check, "<check>", "exec"), {})
            status = 0
        finally:
            os._exit(status)
    end = time.monotonic() + _CHECK_SECONDS
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return f"a forked child ended with status {code}" if code else ""
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return f"a forked child hung for {_CHECK_SECONDS} seconds"


class _Server:
    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.kernels: dict[int, socket.socket] = {}
        self.selector = selectors.DefaultSelector()
        self.wake, wake_end = os.pipe()
        os.set_blocking(wake_end, False)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the build, which ends the server

    def serve(self) -> None:
        for source in (self.listener, self.wake, sys.stdin):
            self.selector.register(source, selectors.EVENT_READ)
        try:
            while True:
                for key, _ in self.selector.select():
                    if key.fileobj is self.listener:
                        self._accept()
                    elif key.fileobj == self.wake:
                        os.read(self.wake, 4096)
                        self._reap()
                    elif key.fileobj is sys.stdin:
                        return
                    else:
                        self._abandoned(key.data)
        finally:
            for pid in self.kernels:
                _kill_group(pid)

    def _accept(self) -> None:
        connection, _ = self.listener.accept()
        with connection.makefile("r", encoding="utf-8") as stream:
            line = stream.readline()
        if not line:
            connection.close()
            return
        pid = os.fork()
        if pid == 0:
            self._become_kernel(json.loads(line), connection)
        self.kernels[pid] = connection
        self.selector.register(connection, selectors.EVENT_READ, pid)
        _send(connection, {"pid": pid})

    def _become_kernel(self, request: dict[str, Any], connection: socket.socket) -> NoReturn:
        """Run a kernel in this child."""
        status = 1
        try:
            os.setsid()  # a process group of its own, so that what it starts can be ended with it
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self.selector.close()
            for other in (self.listener, connection, *self.kernels.values()):
                other.close()
            os.environ.clear()
            os.environ.update(request["environ"], JPY_PARENT_PID=str(os.getppid()))
            os.chdir(request["cwd"])
            from ipykernel.kernelapp import IPKernelApp  # noqa: PLC0415 - imported before the fork

            # No history: it would be a database on the disk, written with every cell and thrown away.
            IPKernelApp.launch_instance(argv=["-f", request["connection_file"], "--HistoryManager.enabled=False"])
            status = 0
        except SystemExit as exit_:
            status = exit_.code if isinstance(exit_.code, int) else 0
        finally:
            os._exit(status)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = ended
                connection = self.kernels.pop(pid, None)
                if connection is not None:
                    _kill_group(pid)  # what the kernel has started and left
                    self.selector.unregister(connection)
                    _send(connection, {"status": os.waitstatus_to_exitcode(status)})
                    connection.close()

    def _abandoned(self, pid: int) -> None:
        """End the kernel of a client that is gone; a client says nothing more while its kernel runs."""
        connection = self.kernels.get(pid)
        if connection is not None:
            self.selector.unregister(connection)
            connection.close()
            del self.kernels[pid]
            _kill_group(pid)


def _send(connection: socket.socket, message: dict[str, int]) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(message).encode() + b"\n")


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
