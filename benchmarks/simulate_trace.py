"""Run a command of tabbook, and write down when each notebook was given to a machine and when it came back.

    python -m benchmarks.simulate_trace TRACE.json execute --project DIR --store DIR

Everything is tabbook's own; only `run_tasks` is handed hosts that look at the clock before they pass a job on. Seconds
are counted from the start of this process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.book import REPOSITORY, Book
from benchmarks.kernels import clean_environ
from tabbook.__main__ import main as tabbook
from tabbook.execute import running
from tabbook.execute.job import Host, HostLostError, Job, Outcome
from tabbook.execute.results import Results
from tabbook.execute.task import Task
from tabbook.execute.waiting import Waiting

__all__ = ["Run", "read_runs", "trace"]

_BEGAN = time.monotonic()


@dataclass(frozen=True)
class Run:
    """A notebook that a machine has run, or has lost: from when to when, and its seconds in its kernel.

    `cpu` is what this process has computed meanwhile.
    """

    node: str
    framework: str
    page: str
    began: float
    ended: float
    seconds: float
    cpu: float
    sent: int
    lost: bool = False

    @property
    def waited(self) -> float:
        """Seconds that were not the notebook's: its server's start, if it was the first."""
        return self.ended - self.began - self.seconds


def read_runs(trace: dict[str, Any]) -> list[Run]:
    return [Run(**each) for each in trace["runs"]]


@dataclass
class _Traced:
    """A host that writes down what it runs."""

    host: Host
    runs: list[Run]

    def __post_init__(self) -> None:
        self.node = self.host.node

    async def run(self, job: Job, gpus: tuple[str, ...]) -> Outcome:
        began, cpu = _now(), time.process_time()
        sent = len(json.dumps(asdict(job)).encode())
        try:
            outcome = await self.host.run(job, gpus)
        except HostLostError:
            self.runs.append(Run(self.node.name, job.framework, job.page, began, _now(), 0.0, 0.0, sent, lost=True))
            raise
        spent = time.process_time() - cpu
        run = Run(self.node.name, job.framework, job.page, began, _now(), outcome.seconds, spent, sent)
        self.runs.append(run)
        return outcome


def trace(book: Book, store: Path, *arguments: str, **environ: str) -> dict[str, Any]:
    """Execute a book into a store by the command line, and return the trace."""
    target = book.root / "trace.json"
    command = [sys.executable, "-m", "benchmarks.simulate_trace", str(target), "execute"]
    command += ["--project", str(book.root), "--store", str(store), *arguments]
    variables = {**clean_environ(), **environ}
    done = subprocess.run(command, cwd=REPOSITORY, env=variables, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
    found: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    return found


def main() -> int:
    target, arguments = Path(sys.argv[1]), sys.argv[2:]
    trace: dict[str, Any] = {"keep": [], "keep_cpu": 0.0, "load_average": os.getloadavg()[0]}
    trace["epoch"] = time.time() - _now()
    runs: list[Run] = []
    run_tasks, take = running.run_tasks, Results.take

    async def traced(waiting: Sequence[Waiting], hosts: Sequence[Host], results: Results) -> None:
        trace["opened"], trace["opened_cpu"] = _now(), time.process_time()
        trace["cpu"] = -time.process_time()
        trace["waiting"] = [
            {"page": each.task.page, "framework": each.task.framework.name, "expected": each.seconds}
            for each in waiting
        ]
        trace["nodes"] = [{"name": host.node.name, "cpus": host.node.cpus} for host in hosts]
        await run_tasks(waiting, [_Traced(host, runs) for host in hosts], results)
        trace["placed"] = _now()
        trace["cpu"] += time.process_time()

    def timed(self: Results, task: Task, outcome: Outcome) -> None:
        began, cpu = _now(), time.process_time()
        take(self, task, outcome)
        trace["keep"].append(_now() - began)
        trace["keep_cpu"] += time.process_time() - cpu

    running.run_tasks, Results.take = traced, timed  # type: ignore[method-assign]
    status = tabbook(arguments)
    trace["runs"] = [asdict(run) for run in runs]
    trace["ended"] = _now()
    target.write_text(json.dumps(trace, indent=1) + "\n", encoding="utf-8")
    return status


def _now() -> float:
    return time.monotonic() - _BEGAN


if __name__ == "__main__":
    sys.exit(main())
