"""Run one notebook in a fresh kernel of a framework's environment.

Kernels are started through jupyter_client's kernel specs; `metadata.kernel_provisioner` of the spec says how: as a new
process, or forked by a server that has imported the framework already.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

import nbformat
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from tabbook.execute.job import CellFailure
from tabbook.execute.marks import ExecutionMarks, execution_marks
from tabbook.execute.memory import watch_memory

__all__ = ["KernelSettings", "run_cells"]

_CELL_LINE = re.compile(r"Cell In\[(\d+)\], line (\d+)")
_PARSER_LINE = re.compile(r"File <\w+>:(\d+)")
_PARSER_PLACE = re.compile(r" \([\w<>.]+, line \d+\)$")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class KernelSettings:
    """How a kernel is started.

    `server` is the socket of a fork server; without one the kernel is a new process of `python`. `prelude` is code run
    before the first cell; `files` are files and folders that are copied into the working folder under the given
    relative paths; `page_folder` is where in the working folder the cells run. A kernel that uses more than `memory`
    bytes, with what it has started, is ended.
    """

    python: Path
    environ: Mapping[str, str]
    prelude: str
    timeout: float
    page_folder: str = "."
    files: Mapping[str, Path] = field(default_factory=dict)
    server: str = ""
    memory: int | None = None


class _OneKernelSpec(KernelSpecManager):  # type: ignore[misc, unused-ignore]  # traitlets' classes have no types
    """Knows one kernel: the interpreter of the framework's environment."""

    python = ""
    server = ""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        provisioner: dict[str, Any] = {"provisioner_name": "local-provisioner"}
        if self.server:
            provisioner = {"provisioner_name": "tabbook-fork", "config": {"socket": self.server}}
        return KernelSpec(
            argv=[self.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name=kernel_name,
            language="python",
            metadata={"kernel_provisioner": provisioner},
        )


class _KernelClient(AsyncKernelClient):
    """Knows that a kernel is ready when it has answered on both channels."""

    async def _async_wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait for the kernel; jupyter_client's own way ends with 0.2 seconds of silence, for every notebook.

        Raises:
            RuntimeError: the kernel has ended, or has not answered for `timeout` seconds.
        """
        end = time.monotonic() + (timeout or float("inf"))
        while time.monotonic() < end:
            if not await self.is_alive():
                raise RuntimeError("Kernel died before it was ready")
            asked = self.kernel_info()
            with contextlib.suppress(Empty):
                reply = await self.shell_channel.get_msg(timeout=1)
                # That something is heard here as well proves that the outputs of cells will be.
                while (await self.iopub_channel.get_msg(timeout=0.2))["parent_header"].get("msg_id") != asked:
                    pass
                self._handle_kernel_info_reply(reply)
                return
        raise RuntimeError(f"Kernel did not answer for {timeout} seconds")

    wait_for_ready = _async_wait_for_ready


class _Client(NotebookClient):  # type: ignore[misc]  # nbclient has no types
    """Ends its kernel with the notebook, whatever ends the notebook.

    nbclient's own set-up takes Ctrl-C for itself: the first one ends one kernel, and the others go on.
    """

    memory: int | None = None
    watch: asyncio.Task[None] | None = None  # it comes to its end when the kernel has used too much

    @asynccontextmanager
    async def async_setup_kernel(self, **kwargs: Any) -> AsyncIterator[None]:
        manager = self.km
        try:
            await self.async_start_new_kernel(**kwargs)
            if self.memory and manager.provisioner:
                self.watch = asyncio.create_task(watch_memory(manager.provisioner.pgid, self.memory))
            await self.async_start_new_kernel_client()
            yield
        finally:
            if self.watch:
                self.watch.cancel()
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
    marks = [execution_marks(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=_notebook_cells(sources, marks, settings))
    manager = _kernel_manager(scratch, settings)
    client = _Client(notebook, km=manager, timeout=settings.timeout, resources={"metadata": {"path": str(folder)}})
    client.memory = settings.memory
    current = -1

    def starting(cell: Any, cell_index: int) -> None:
        nonlocal current
        current = cell_index - 1

    client.on_cell_execute = starting
    client.timeout_func = lambda cell: cell.metadata["timeout"]
    # The author's own IPython start-up files and history have no part in a book.
    environ = {**settings.environ, "IPYTHONDIR": str(scratch / "ipython")}
    try:
        await client.async_execute(env=environ)
    except CellExecutionError as error:
        raise CellFailure(current, _failing_line(error.traceback), f"raised {_cause(error)}") from None
    except CellTimeoutError:
        limit = notebook.cells[current + 1].metadata["timeout"]
        raise CellFailure(current, 0, f"took longer than {limit:g} seconds") from None
    except (DeadKernelError, RuntimeError) as error:
        task = asyncio.current_task()
        if task and task.cancelling():  # nbclient takes our being cancelled for the kernel's death
            raise asyncio.CancelledError from None
        raise CellFailure(current, 0, _end_of_kernel(client, error)) from None
    outputs = [[dict(output) for output in cell["outputs"]] for cell in notebook.cells[1:]]
    for index, mark in enumerate(marks):
        _require_exception(index, mark, outputs[index])
    return outputs


def _notebook_cells(sources: Sequence[str], marks: Sequence[ExecutionMarks], settings: KernelSettings) -> list[Any]:
    prelude = nbformat.v4.new_code_cell(settings.prelude, metadata={"timeout": settings.timeout})
    cells = [
        nbformat.v4.new_code_cell(
            source,
            metadata={
                "timeout": mark.timeout or settings.timeout,
                "tags": ["raises-exception"] if mark.raises is not None else [],
            },
        )
        for source, mark in zip(sources, marks, strict=True)
    ]
    return [prelude, *cells]


def _require_exception(index: int, mark: ExecutionMarks, outputs: Sequence[Mapping[str, Any]]) -> None:
    """Raise a failure where a cell has not raised what its author has announced."""
    if mark.raises is None:
        return
    raised = next((output["ename"] for output in outputs if output["output_type"] == "error"), "")
    if not raised or (mark.raises and raised != mark.raises):
        expected = mark.raises or "an exception"
        raise CellFailure(index, 0, f"raised {raised or 'nothing'}, and its mark says {expected}")


def _end_of_kernel(client: _Client, error: Exception) -> str:
    if client.watch and client.watch.done() and not client.watch.cancelled():
        return f"used more than {(client.memory or 0) / 2**30:.1f} GiB of memory"
    return f"ended its kernel ({error})"


def _copy(files: Mapping[str, Path], folder: Path) -> None:
    for name, place in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if place.is_dir():
            shutil.copytree(place, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(place, target)


def _kernel_manager(scratch: Path, settings: KernelSettings) -> AsyncKernelManager:
    specs = _OneKernelSpec()
    specs.python, specs.server = str(settings.python), settings.server
    manager = AsyncKernelManager(kernel_name=settings.python.parents[1].name, kernel_spec_manager=specs)
    # Sockets in the scratch folder: no ports that two kernels could both choose, and nobody else can connect.
    manager.transport = "ipc"
    manager.client_factory = _KernelClient
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
