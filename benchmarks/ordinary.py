"""The peer that everybody knows: every notebook in an ordinary kernel, by nbclient.

``python ordinary.py NOTEBOOK…`` executes the notebooks in place, as many at a time as there are cores, each in its own
folder and in the kernel that its metadata names. It runs in the benchmark's own environment, without tabbook.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


async def _run(path: Path, slots: asyncio.Semaphore) -> None:
    async with slots:
        notebook = nbformat.read(path, as_version=4)
        name = notebook.metadata.kernelspec.name
        resources = {"metadata": {"path": str(path.parent)}}
        await NotebookClient(notebook, kernel_name=name, timeout=600, resources=resources).async_execute()
        nbformat.write(notebook, path)


async def _run_all(paths: list[Path]) -> None:
    slots = asyncio.Semaphore(len(os.sched_getaffinity(0)))
    async with asyncio.TaskGroup() as group:
        for path in paths:
            group.create_task(_run(path, slots))


if __name__ == "__main__":
    asyncio.run(_run_all([Path(name) for name in sys.argv[1:]]))
