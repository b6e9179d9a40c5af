"""Run in a kernel before its first cell: writes the time of each cell, as the kernel itself sees it, into a file.

It is run by the interpreters of the frameworks' environments, so it uses the standard library and IPython only.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import time
from pathlib import Path
from typing import Any

from IPython import get_ipython

__all__ = ["begin"]


def begin(folder: str, imports: str = "") -> None:
    """Write a line of JSON a cell into a new file in `folder`: [digest of its source, wall seconds, CPU seconds].

    CPU seconds are those of the kernel, all its threads, and of the processes that it has waited for. `imports` are
    statements, one a line, made first: then cells that import a framework find it imported, as in a forked kernel.
    """
    for statement in filter(None, imports.split("\n")):
        with contextlib.suppress(ImportError):
            exec(compile(statement, "<imports>", "exec"), {})
    path = Path(folder, f"{os.getpid()}-{time.monotonic_ns()}.jsonl")
    clock: list[float] = []

    def before(_: Any) -> None:
        clock[:] = time.monotonic(), _cpu()

    def after(result: Any) -> None:
        if clock:  # the cell that has called this was not seen beginning
            spent = time.monotonic() - clock[0], _cpu() - clock[1]
            digest = hashlib.sha256((result.info.raw_cell or "").encode()).hexdigest()
            with path.open("a") as file:
                file.write(json.dumps([digest, *spent]) + "\n")

    events = get_ipython().events
    events.register("pre_run_cell", before)
    events.register("post_run_cell", after)


def _cpu() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
