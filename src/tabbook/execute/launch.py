"""How kernels are started: in which environment, with which settings, forked by which server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from tabbook.config import Config, Framework
from tabbook.environments import Environment
from tabbook.execute.fork_provisioner import ForkServer, ForkServerError
from tabbook.execute.kernel import KernelSettings
from tabbook.execute.key import data_files
from tabbook.execute.task import Task

__all__ = ["Launcher"]


class Launcher:
    """Settings for the kernels of one build, and its fork servers, one a framework, started when first needed."""

    def __init__(
        self, config: Config, environments: Mapping[str, Environment], folder: Path, report: Callable[[str], None]
    ) -> None:
        self._config = config
        self._environments = environments
        self._folder = folder
        self._report = report
        cores = len(os.sched_getaffinity(0))
        self.workers = int(config["tabbook"]["workers"]) or cores
        self._threads = max(1, cores // self.workers)
        self._locks = {name: asyncio.Lock() for name in environments}
        self._servers: dict[str, ForkServer | None] = {}

    async def settings(self, task: Task) -> KernelSettings:
        """Return how the task's kernel is started; the first task of a framework waits for its server."""
        framework = task.framework
        config = self._config
        return KernelSettings(
            python=self._environments[framework.name].python,
            environ=self._environ(framework),
            prelude=task.key.parts["seed"],
            timeout=float(config["tabbook"]["cell_timeout"]),
            page_folder=_within(config, (config.source_dir / task.page).parent),
            files={_within(config, path): path for path in _files_beside(config)},
            server=await self._server(framework),
            memory=self._memory(),
        )

    async def close(self) -> None:
        """End the servers and whatever they have started."""
        await asyncio.gather(*(server.stop() for server in self._servers.values() if server))

    async def _server(self, framework: Framework) -> str:
        """Return the socket of the framework's fork server; nothing where kernels are new processes."""
        if not framework.fork:
            return ""
        async with self._locks[framework.name]:
            if framework.name not in self._servers:
                self._servers[framework.name] = await self._start(framework)
        server = self._servers[framework.name]
        return str(server.socket) if server else ""

    async def _start(self, framework: Framework) -> ForkServer | None:
        python = self._environments[framework.name].python
        folder = self._folder / framework.name
        folder.mkdir()
        library = self._config.root / self._config["tabbook"]["library"]
        imports = (*framework.imports, f"import {library.name}.{framework.module}")
        try:
            return await ForkServer.start(python, self._environ(framework), imports, framework.check, folder)
        except ForkServerError as error:
            self._report(
                f"{framework.title}: forking kernels is not safe here ({error}); each is a new process\n"
                f"    hint: `fork = no` under [framework-{framework.name}] in config.ini says so beforehand"
            )
            return None

    def _environ(self, framework: Framework) -> dict[str, str]:
        caps = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(self._threads))
        library = self._config.root / self._config["tabbook"]["library"]
        inherited = dict(os.environ)
        if not inherited.get("SOURCE_DATE_EPOCH", "0").isdecimal():  # IPython would not start
            del inherited["SOURCE_DATE_EPOCH"]
        return {
            **inherited,
            **caps,
            **dict(framework.environ),
            "PYTHONPATH": str(library.parent),
            "PYTHONHASHSEED": "0",
            "PYTHONWARNINGS": "ignore::DeprecationWarning",
        }

    def _memory(self) -> int:
        """Return the bytes that one notebook may use."""
        limit = float(self._config["tabbook"]["memory"]) * 2**30
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return int(limit) or machine // self.workers


def _files_beside(config: Config) -> set[Path]:
    """Return the files and folders that cells find beside them: what config.ini calls `resources` and `data`."""
    names = config["build"]["resources"].split()
    return data_files(config) | {config.source_dir / name for name in names if (config.source_dir / name).exists()}


def _within(config: Config, path: Path) -> str:
    """Return where a file of the project lies in a notebook's working folder, so that `../img` stays what it is."""
    path = Path(os.path.normpath(path))
    for folder in (config.root, config.source_dir):
        if path.is_relative_to(folder):
            return str(path.relative_to(folder))
    return path.name
