"""The machine that we are on, as one that executes notebooks: its environments, its fork servers, its devices."""

from __future__ import annotations

import asyncio
import os
import sysconfig
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

from tabbook.config import Config, Framework
from tabbook.environments import Environment
from tabbook.errors import naming_full_disk
from tabbook.execute.devices import Gpu
from tabbook.execute.fork_provisioner import ForkServer, ForkServerError
from tabbook.execute.job import CellFailure, Job, Outcome
from tabbook.execute.kernel import KernelSettings, run_cells
from tabbook.execute.key import data_files
from tabbook.execute.marks import execution_marks, is_run
from tabbook.execute.normalise import machine_paths, normalise_outputs
from tabbook.execute.provenance import cpu_model, environment_versions, execution_date
from tabbook.execute.schedule import Node

__all__ = ["Machine", "machine_memory", "notebook_memory", "open_machine"]

_LONGEST_PATH = 80


@asynccontextmanager
async def open_machine(
    config: Config,
    environments: Mapping[str, Environment],
    gpus: Sequence[Gpu],
    report: Callable[[str], None],
    part: Node | None = None,
) -> AsyncIterator[Machine]:
    """Use this machine for a while, or a part of it; what it has started is ended with it."""
    with _scratch_folder() as folder:
        machine = Machine(config, environments, gpus, folder, report, part)
        try:
            yield machine
        finally:
            await machine.close()


class Machine:
    """The machine that we are on, with a fork server a framework that is started when it is first needed.

    `node` says what it has: as many CPU slots as notebooks may run at a time.
    """

    def __init__(
        self,
        config: Config,
        environments: Mapping[str, Environment],
        gpus: Sequence[Gpu],
        folder: Path,
        report: Callable[[str], None],
        part: Node | None = None,
    ) -> None:
        self._config = config
        self._environments = environments
        self._gpus = {gpu.id: gpu.model for gpu in gpus}
        self._folder = folder
        self._report = report
        part = part or Node("this machine", len(os.sched_getaffinity(0)), machine_memory(), tuple(self._gpus))
        workers = int(config["tabbook"]["workers"]) or part.cpus
        self.node = replace(part, cpus=workers)
        self._memory = notebook_memory(config, self.node)
        self._threads = max(1, part.cpus // workers)
        self._locks = {name: asyncio.Lock() for name in environments}
        self._servers: dict[str, ForkServer | None] = {}

    async def run(self, job: Job, gpus: tuple[str, ...]) -> Outcome:
        """Execute a notebook in a new kernel that sees these GPUs and no other."""
        settings = await self._settings(job, gpus)
        began = time.monotonic()
        sources = [source if is_run(execution_marks(source), len(gpus)) else "" for source in job.sources]
        with _scratch_folder() as scratch:
            try:
                outputs = await run_cells(sources, settings, scratch)
            except CellFailure as failure:
                return Outcome(time.monotonic() - began, failure=failure)
            paths = self._paths(settings.python, scratch)
        seconds = time.monotonic() - began
        framework = self._config.frameworks[job.framework]
        provenance = {
            "date": execution_date(os.environ),
            # Whoever sets the date wants the same bytes from every run; the page's state has the seconds anyway.
            **({} if "SOURCE_DATE_EPOCH" in os.environ else {"duration": round(seconds, 3)}),
            "device": ", ".join(self._gpus[gpu] for gpu in gpus) or cpu_model(),
            "device_class": "gpu" if gpus else "cpu",
            "versions": environment_versions(settings.python, framework.packages),
        }
        clean = tuple(tuple(normalise_outputs(cell, framework.noise, paths)) for cell in outputs)
        return Outcome(seconds, clean, provenance)

    def _paths(self, python: Path, scratch: Path) -> dict[str, str]:
        """Return what of this machine's paths is not shown to readers; `python` may be no environment's but /usr's."""
        environment = [python.parents[1]] if (python.parents[1] / "pyvenv.cfg").is_file() else []
        libraries = [*environment, Path(sysconfig.get_path("stdlib"))]
        return machine_paths([scratch / "work", scratch, self._config.root, *libraries], Path.home())

    async def _settings(self, job: Job, gpus: tuple[str, ...]) -> KernelSettings:
        """Return how the job's kernel is started; the first job of a framework waits for its server."""
        framework = self._config.frameworks[job.framework]
        config = self._config
        return KernelSettings(
            python=self._environments[framework.name].python,
            environ={**self._environ(framework), "CUDA_VISIBLE_DEVICES": ",".join(gpus)},
            prelude=job.seed,
            timeout=float(config["tabbook"]["cell_timeout"]),
            page_folder=_within(config, (config.source_dir / job.page).parent),
            files={_within(config, path): path for path in _files_beside(config)},
            server=await self._server(framework),
            memory=self._memory,
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
        cache = self._config.environments_dir / "cache" / framework.name
        inherited = dict(os.environ)
        if not inherited.get("SOURCE_DATE_EPOCH", "0").isdecimal():  # IPython would not start
            del inherited["SOURCE_DATE_EPOCH"]
        return {
            **inherited,
            **caps,
            **{name: value.replace("{cache}", str(cache)) for name, value in framework.environ},
            "PYTHONPATH": str(library.parent),
            "PYTHONHASHSEED": "0",
            "PYTHONWARNINGS": "ignore::DeprecationWarning",
        }


def machine_memory() -> int:
    """Return the bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def notebook_memory(config: Config, node: Node) -> int:
    """Return the bytes that one notebook may use on a node: what the book says, or an equal part."""
    return int(float(config["tabbook"]["memory"]) * 2**30) or node.memory // max(1, node.cpus)


@contextmanager
def _scratch_folder() -> Iterator[Path]:
    """Make a folder for a while; its path is short, since a socket's name may have 107 characters."""
    place = "/tmp" if len(tempfile.gettempdir()) > _LONGEST_PATH else None
    made = tempfile.TemporaryDirectory(prefix="tb-", dir=place, ignore_cleanup_errors=True)
    with made as folder, naming_full_disk(Path(folder), "a notebook to run in"):
        yield Path(folder)


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
