"""Run benchmarks: ``python -m benchmarks [SECTION …]``, in the site's environment, from the repository's folder.

Each section's numbers are merged into results.json, from which results.md and results.svg are made anew.
Exit status: 0 measured, 1 something that was to be measured failed, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.book import REPOSITORY
from benchmarks.comparison import compare_on_the_book, memory_on_the_book
from benchmarks.growth import grow
from benchmarks.kernels import clean_environ
from benchmarks.processes import CommandError
from benchmarks.report import write_report
from benchmarks.results import RESULTS, circumstances, keep, load
from benchmarks.soak import soak
from benchmarks.warm import missing_environments, warm_up
from tabbook.config import load_config
from tabbook.environments import environment_python

BENCH = ("book", "growth-50", "growth-200", "growth-1000")
"""What `make bench` measures, in this order."""

OTHERS = ("memory", "report")
"""What is done if it is asked for: the memory of all contestants on the book; the report alone, from what there is."""

THREADS = (1, 2)
"""The thread caps of `make soak`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the wanted sections and write the report; return the exit status."""
    frameworks = load_config(REPOSITORY).frameworks
    rows = {f"soak-{name}-{threads}": (name, threads) for name in frameworks for threads in THREADS}
    options = _options(arguments)
    wanted = [row for name in options.sections or BENCH for row in (rows if name == "soak" else [name])]
    unknown = [name for name in wanted if name not in (*BENCH, *OTHERS, *rows)]
    if unknown:
        print(
            f"{unknown[0]}: no section.\n    hint: the sections are {', '.join([*BENCH, *OTHERS, 'soak', *rows])}",
            file=sys.stderr,
        )
        return 2
    timed = any(name in (*BENCH, "memory") for name in wanted)
    if missing := missing_environments(with_peers=timed):
        print(
            f"no environment: {', '.join(missing)}.\n    hint: tabbook environments {' '.join(missing)}",
            file=sys.stderr,
        )
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # what is measured is ended with us
    name, failed = "warming up", False
    try:
        if timed:
            _say("warming up: every environment is imported once")
            warm_up()
        for name in wanted:
            if name != "report":
                failed |= _measure(name, options, rows)
                _report()  # what is measured is on record, whatever ends the rest
    except (CommandError, LookupError, subprocess.CalledProcessError) as error:
        print(f"{name}: error: {error}\n    hint: what was measured before is kept", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; what was measured before is kept", file=sys.stderr)
        return 130
    _report()
    return int(failed)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure what building the book costs.")
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help=f"default: {' '.join(BENCH)}; also: {' '.join(OTHERS)} soak"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of the section `book` (default: 3)")
    parser.add_argument(
        "--slow-rounds", type=int, default=1, help="of them with those that no bar is measured by (default: 1)"
    )
    parser.add_argument("--forks", type=int, default=200, help="of the sections `soak-…` (default: 200)")
    return parser.parse_args(arguments)


def _measure(name: str, options: argparse.Namespace, rows: dict[str, tuple[str, int]]) -> bool:
    """Measure one section; what it yields is kept at once. Tell whether a contestant has failed."""
    _say(name)
    around = circumstances()
    measured: dict[str, Any] = {}
    for measured in _section(name, options, rows):
        keep(name, {**around, **measured})
    return any(turn["failed"] for turn in measured.get("rounds", ()))


def _section(name: str, options: argparse.Namespace, rows: dict[str, tuple[str, int]]) -> Iterator[dict[str, Any]]:
    if name == "book":
        yield from compare_on_the_book(options.rounds, options.slow_rounds, _say)
    elif name == "memory":
        yield memory_on_the_book(_say)
    elif name in rows:
        framework, threads = rows[name]
        module = load_config(REPOSITORY).frameworks[framework].module
        yield soak(framework, module, threads, options.forks, _say)
    else:
        count = int(name.removeprefix("growth-"))
        yield grow(count, count == _ORDINARY, _say)


_ORDINARY = 200
"""The size at which ordinary kernels are measured, too: it takes them minutes, and more notebooks show nothing new."""

_BEGAN = time.monotonic()


def _say(text: str) -> None:
    print(f"{time.monotonic() - _BEGAN:7.1f} {text}", flush=True)


def _report() -> None:
    write_report(load())
    python = environment_python(load_config(REPOSITORY).environments_dir, "bench")
    plot = Path(__file__).with_name("plot.py")
    subprocess.run([python, plot, RESULTS, RESULTS.with_suffix(".svg")], env=clean_environ(peer=True), check=True)


if __name__ == "__main__":
    sys.exit(main())
