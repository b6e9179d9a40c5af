"""Run one notebook in a fresh kernel of a framework's environment.

Kernels are started through jupyter_client's kernel specs; `metadata.kernel_provisioner` of the spec is the seam at
which another way of starting them (a fork server) is put in.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

__all__ = ["CellFailure", "KernelSettings", "run_cells"]

_CELL_LINE = re.compile(r"Cell In\[(\d+)\], line (\d+)")
_PARSER_LINE = re.compile(r"File <\w+>:(\d+)")
_PARSER_PLACE = re.compile(r" \([\w<>.]+, line \d+\)$")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class KernelSettings:
    """How a kernel is started.

    `prelude` is code run before the first cell; `files` are files and folders that are copied into the working folder
    under the given relative paths; `page_folder` is where in the working folder the cells run.
    """

    python: Path
    environ: Mapping[str, str]
    prelude: str
    timeout: float
    page_folder: str = "."
    files: Mapping[str, Path] = field(default_factory=dict)


@dataclass(eq=False)  # exceptions must be hashable, and the interpreter writes to their attributes
class CellFailure(Exception):  # noqa: N818 - not an error of ours, and named like EnvironmentFailure
    """A cell that did not run to its end.

    `index` is the cell's place among the cells (-1: the prelude), `line` the failing line within it (from 1; 0 if
    unknown), `cause` says what happened.
    """

    index: int
    line: int
    cause: str


class _OneKernelSpec(KernelSpecManager):  # type: ignore[misc, unused-ignore]  # traitlets' classes have no types
    """Knows one kernel: the interpreter of the framework's environment."""

    python = ""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(
            argv=[self.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name=kernel_name,
            language="python",
            metadata={"kernel_provisioner": {"provisioner_name": "local-provisioner"}},
        )


class _Client(NotebookClient):  # type: ignore[misc]  # nbclient has no types
    """Ends its kernel with the notebook, whatever ends the notebook.

    nbclient's own set-up takes Ctrl-C for itself: the first one ends one kernel, and the others go on.
    """

    @asynccontextmanager
    async def async_setup_kernel(self, **kwargs: Any) -> AsyncIterator[None]:
        manager = self.km
        try:
            await self.async_start_new_kernel(**kwargs)
            await self.async_start_new_kernel_client()
            yield
        finally:
            if self.kc is not None:
                self.kc.stop_channels()
            if manager.has_kernel:
                await manager.shutdown_kernel(now=True)


async def run_cells(sources: Sequence[str], settings: KernelSettings, scratch: Path) -> list[list[dict[str, Any]]]:
    """Run cells one after the other in a new kernel and return each cell's outputs.

    `scratch` is an empty folder with a short path: a socket's name may have 107 characters. The cells run in its
    `work`.

    Raises:
        CellFailure: a cell raised, took longer than `settings.timeout` seconds, or ended its kernel.
    """
    folder = scratch / "work" / settings.page_folder
    folder.mkdir(parents=True)
    _copy(settings.files, scratch / "work")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(text) for text in (settings.prelude, *sources)]
    )
    manager = _kernel_manager(scratch, settings.python)
    client = _Client(notebook, km=manager, timeout=settings.timeout, resources={"metadata": {"path": str(folder)}})
    current = -1

    def starting(cell: Any, cell_index: int) -> None:
        nonlocal current
        current = cell_index - 1

    client.on_cell_execute = starting
    # The author's own IPython start-up files and history have no part in a book.
    environ = {**settings.environ, "IPYTHONDIR": str(scratch / "ipython")}
    try:
        await client.async_execute(env=environ)
    except CellExecutionError as error:
        raise CellFailure(current, _failing_line(error.traceback), f"raised {_cause(error)}") from None
    except CellTimeoutError:
        raise CellFailure(current, 0, f"took longer than {settings.timeout:g} seconds") from None
    except (DeadKernelError, RuntimeError) as error:
        task = asyncio.current_task()
        if task and task.cancelling():  # nbclient takes our being cancelled for the kernel's death
            raise asyncio.CancelledError from None
        raise CellFailure(current, 0, f"ended its kernel ({error})") from None
    return [[dict(output) for output in cell["outputs"]] for cell in notebook.cells[1:]]


def _copy(files: Mapping[str, Path], folder: Path) -> None:
    for name, place in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if place.is_dir():
            shutil.copytree(place, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(place, target)


def _kernel_manager(scratch: Path, python: Path) -> AsyncKernelManager:
    specs = _OneKernelSpec()
    specs.python = str(python)
    manager = AsyncKernelManager(kernel_name=python.parents[1].name, kernel_spec_manager=specs)
    # Sockets in the scratch folder: no ports that two kernels could both choose, and nobody else can connect.
    manager.transport = "ipc"
    manager.ip = str(scratch / "kernel")
    manager.connection_file = str(scratch / "kernel.json")
    return manager


def _cause(error: CellExecutionError) -> str:
    return f"{error.ename}: {_PARSER_PLACE.sub('', _ANSI.sub('', error.evalue))}"


def _failing_line(traceback: str) -> int:
    """Return the line on which the cell that failed was when it failed; 0 where the traceback does not tell.

    Functions of earlier cells may stand in the traceback too, above and below; the cell that runs has the highest
    number.
    """
    plain = _ANSI.sub("", traceback)
    lines = [(int(cell), int(line)) for cell, line in _CELL_LINE.findall(plain)]
    if lines:
        newest = max(cell for cell, _ in lines)
        return [line for cell, line in lines if cell == newest][-1]
    parser = _PARSER_LINE.search(plain)
    return int(parser[1]) if parser else 0
