"""How much memory a kernel and what it has started use together.

A limit of address space (`RLIMIT_AS`, `RLIMIT_DATA`) will not do: compilers such as XLA's reserve far more than they
touch. What counts is what is resident, and that is watched.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from itertools import count
from pathlib import Path

__all__ = ["group_memory", "watch_memory"]

_SECONDS = 0.1
_ROUNDS = 5
_PAGE = os.sysconf("SC_PAGE_SIZE")


def group_memory(group: int) -> int:
    """Return the resident bytes of the processes of a process group."""
    total = 0
    for name in filter(str.isdecimal, os.listdir("/proc")):  # noqa: PTH208 - often called: no object a process
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The second field is the program's name in parentheses and may hold anything.
            fields = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()
            if int(fields[2]) == group:
                total += int(fields[21]) * _PAGE
    return total


def _own_memory(process: int) -> int:
    """Return the resident bytes of one process; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{process}/statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


async def watch_memory(group: int, limit: int) -> None:
    """Wait until a process group uses more than `limit` bytes, and end it then.

    Its first process, the kernel, is looked at ten times a second, and what it has started twice: to look for that is
    to look at every process of the machine.
    """
    for round_ in count():
        used = _own_memory(group) if round_ % _ROUNDS else group_memory(group)
        if used > limit:
            break
        await asyncio.sleep(_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
