"""Execute tasks on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from tabbook.config import Config
from tabbook.environments import Environment, make_environments
from tabbook.execute.devices import gpus_here
from tabbook.execute.results import Results
from tabbook.execute.task import Task
from tabbook.execute.waiting import waiting_tasks

__all__ = ["execute_here"]


def execute_here(config: Config, tasks: Sequence[Task], results: Results) -> None:
    """Execute tasks here; the environments that they need are made first."""
    environments = _environments(config, tasks, results)
    ready = [task for task in tasks if task.framework.name in environments]
    results.summary.unexecuted += len(tasks) - len(ready)
    asyncio.run(_execute(config, ready, environments, results))


def _environments(config: Config, tasks: Sequence[Task], results: Results) -> dict[str, Environment]:
    wanted = {task.framework.name: task.framework.requirements for task in tasks}
    made = make_environments(wanted, config.environments_dir, results.progress.line)
    ready = {name: result for name, result in made.items() if isinstance(result, Environment)}
    results.summary.missing = {name: made[name].reason for name in made if name not in ready}  # type: ignore[union-attr]
    return ready


async def _execute(
    config: Config, tasks: Sequence[Task], environments: Mapping[str, Environment], results: Results
) -> None:
    from tabbook.execute.machine import open_machine  # noqa: PLC0415 - Jupyter is loaded only if something runs
    from tabbook.execute.running import run_tasks  # noqa: PLC0415

    gpus = gpus_here() if any(task.gpus for task in tasks) else ()
    async with open_machine(config, environments, gpus, results.progress.line) as machine:
        await run_tasks(waiting_tasks(config, tasks, results.store), [machine], results)
