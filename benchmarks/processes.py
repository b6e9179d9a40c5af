"""What a command costs: wall time, CPU time of its whole process tree, and the tree's peak memory.

CPU time is what the kernel of the system has accounted to processes that were waited for. A process whose parent is
gone before it would be lost; so this process adopts such orphans (Linux: child subreaper) and waits for them too.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CommandError", "Usage", "measure", "total", "tree_memory"]

_SET_CHILD_SUBREAPER = 36  # of linux/prctl.h
_PATIENCE = 10.0  # seconds that what a command leaves behind may take to end


class CommandError(Exception):
    """A measured command did not end as it should; the message holds its last words."""


@dataclass(frozen=True)
class Usage:
    """What a command has cost. `memory` is the peak in bytes, 0 where it was not watched; `output` what it said."""

    wall: float
    cpu: float
    memory: int
    output: str


def measure(command: Sequence[str | Path], folder: Path, environ: Mapping[str, str], watch: float = 0.0) -> Usage:
    """Run a command to its end and return its cost, that of all processes it has started included.

    Memory is looked at every `watch` seconds. A look takes about 50 ms of a core: what is watched closely should not
    be compared by time.

    Raises:
        CommandError: the exit status is not 0.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "this system does not let a process adopt orphans")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    # Into a file: a pipe would be open until the last process that has inherited it has ended.
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        process = subprocess.Popen(
            [str(part) for part in command], cwd=folder, env=dict(environ), stdin=subprocess.DEVNULL,
            stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        with _watched(process.pid, watch) as seen:
            try:
                status = process.wait()
            except BaseException:
                _kill_descendants()
                raise
            wall = time.monotonic() - began
            _wait_for_orphans()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        said.seek(0)
        output = said.read()
    if status != 0:
        words = "\n".join(output.splitlines()[-30:])
        raise CommandError(f"{' '.join(map(str, command))}\nended with status {status}:\n{words}")
    return Usage(wall, _seconds(after) - _seconds(before), max(seen), output)


def total(usages: Iterable[Usage]) -> Usage:
    """Return the cost of commands that ran one after the other."""
    parts = list(usages)
    return Usage(
        sum(part.wall for part in parts),
        sum(part.cpu for part in parts),
        max(part.memory for part in parts),
        "".join(part.output for part in parts),
    )


def tree_memory(process: int) -> int:
    """Return the bytes that a process and its descendants use now, shared pages counted once (their PSS)."""
    return sum(_proportional(pid) for pid in [process, *_descendants(process)])


def _seconds(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def _wait_for_orphans() -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            if time.monotonic() > end:
                _kill_descendants()
            time.sleep(0.01)


def _kill_descendants() -> None:
    for pid in _descendants(os.getpid()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def _watched(process: int, interval: float) -> Iterator[list[int]]:
    """Collect the memory of a process tree while the block runs; an interval of 0 stands for not watching."""
    found = [0]
    ended = threading.Event()

    def watch() -> None:
        while interval and not ended.wait(interval):
            found.append(tree_memory(process))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def _descendants(process: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            # The second field is the program's name in parentheses and may hold anything.
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = list(children.get(process, ()))
    for pid in found:  # grows while it is read
        found += children.get(pid, ())
    return found


def _proportional(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
