"""How much memory a kernel and what it has started use together.

A limit of address space (`RLIMIT_AS`, `RLIMIT_DATA`) will not do: compilers such as XLA's reserve far more than they
touch. What counts is what is resident, and that is watched.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

__all__ = ["group_memory", "watch_memory"]

_SECONDS = 0.1
_PAGE = os.sysconf("SC_PAGE_SIZE")


def group_memory(group: int) -> int:
    """Return the resident bytes of the processes of a process group."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The second field is the program's name in parentheses and may hold anything.
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                total += int(fields[21]) * _PAGE
    return total


async def watch_memory(group: int, limit: int) -> None:
    """Wait until a process group uses more than `limit` bytes, and end it then."""
    while group_memory(group) <= limit:
        await asyncio.sleep(_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
