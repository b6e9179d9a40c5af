"""How long it takes to find out that nothing is to be done."""

from __future__ import annotations

import statistics
import subprocess
import sys
from typing import Any

from benchmarks.book import TABBOOK, Book
from benchmarks.kernels import clean_environ
from benchmarks.processes import measure

__all__ = ["decision_times"]

_TIMES = 10
_STAGE = """\
import sys, time
from tabbook import commands
from tabbook.__main__ import main
began = time.perf_counter()
status = main(["execute"])
print(time.perf_counter() - began)
sys.exit(status)
"""


def decision_times(book: Book) -> dict[str, Any]:
    """Return the seconds of `tabbook execute` on a book that is up to date: medians, after one run that is not counted.

    `command` is the whole command, from the start of the interpreter to its end; `stage` is what it does after the
    interpreter has started: read the configuration and all pages, find the keys, ask the store.
    """
    environ = clean_environ()
    command, stage = [], []
    for _ in range(_TIMES + 1):
        command.append(measure([*TABBOOK, "execute"], book.root, environ))
        done = subprocess.run(
            [sys.executable, "-c", _STAGE], cwd=book.root, env=environ, capture_output=True, text=True, check=True
        )
        stage.append(float(done.stdout.split()[-1]))
    return {
        "command": statistics.median(each.wall for each in command[1:]),
        "cpu": statistics.median(each.cpu for each in command[1:]),
        "stage": statistics.median(stage[1:]),
    }
