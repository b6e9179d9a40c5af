"""Before anything is measured: are the environments there, and is the bytecode of what they import written?"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.book import REPOSITORY, cell, synthetic_book
from benchmarks.contestants import Ordinary, Site
from benchmarks.kernels import clean_environ, make_kernels
from benchmarks.processes import measure
from tabbook.config import load_config
from tabbook.environments import environment_python

__all__ = ["missing_environments", "warm_up"]

_PEERS = {"d2lbook": "import d2lbook.main", "bench": "import myst_nb.sphinx_ext, jupyter_cache.executors, furo"}


def missing_environments(with_peers: bool) -> list[str]:
    """Return the names of the environments that are needed and not there; every report needs `bench`, for its plot."""
    config = load_config(REPOSITORY)
    names = [*config.tabs, *(_PEERS if with_peers else ["bench"])]
    return [name for name in names if not environment_python(config.environments_dir, name).exists()]


def warm_up() -> None:
    """Import everything once, so that the first who is measured does not pay for bytecode and a cold disk."""
    config = load_config(REPOSITORY)
    for name, statement in _PEERS.items():
        python = environment_python(config.environments_dir, name)
        measure([python, "-c", statement], REPOSITORY, clean_environ(peer=True))
    with tempfile.TemporaryDirectory(prefix="tb-bench-") as folder:
        cells = (cell(f"from d2l import {each.module} as d2l", name) for name, each in config.frameworks.items())
        book = synthetic_book(Path(folder) / "book", {"page": "# ページ\n\n" + "".join(cells)}, config.tabs)
        kernels = make_kernels(book, Path(folder) / "kernels")
        for contestant in (Site(book, kernels), Ordinary(book, kernels)):
            contestant.convert()
            contestant.build()
