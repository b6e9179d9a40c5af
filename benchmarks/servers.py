"""What the fork servers cost by themselves: started side by side, as a build does, and ended again.

``python -m benchmarks.servers BOOK`` prints JSON: the wall seconds until each is ready, and the CPU seconds of all.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.book import Book
from benchmarks.kernels import clean_environ, imports_of, kernel_environ
from tabbook.environments import environment_python
from tabbook.execute.fork_provisioner import ForkServer

__all__ = ["start_servers"]


async def start_servers(book: Book, folder: Path) -> dict[str, float]:
    """Start the book's fork servers at once and end them; return the seconds until each was ready."""
    config = book.config
    began = time.monotonic()

    async def start(name: str) -> tuple[ForkServer, float]:
        framework = config.frameworks[name]
        python = environment_python(config.environments_dir, name)
        environ = {**clean_environ(), **kernel_environ(config, framework)}
        place = folder / name
        place.mkdir()
        imports = imports_of(config, framework).split("\n")
        server = await ForkServer.start(python, environ, imports, framework.check, place)
        return server, time.monotonic() - began

    started = await asyncio.gather(*(start(name) for name in config.tabs))
    await asyncio.gather(*(server.stop() for server, _ in started))
    return {name: seconds for name, (_, seconds) in zip(config.tabs, started, strict=True)}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="tb-") as made:
        ready = asyncio.run(start_servers(Book(Path(sys.argv[1])), Path(made)))
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"ready": ready, "cpu": children.ru_utime + children.ru_stime}))
