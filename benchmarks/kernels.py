"""Ordinary kernels of the frameworks' environments, for the peers: kernel specs, found through JUPYTER_PATH.

They get the environment variables that ours get: thread caps such that kernels × threads are the cores, the
frameworks' own variables, and the companion library on PYTHONPATH.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.book import Book
from benchmarks.cells import hook_line
from tabbook.config import Config, Framework
from tabbook.environments import environment_python

__all__ = ["Kernels", "clean_environ", "imports_of", "kernel_environ", "make_kernels"]

_CAPS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_UNWANTED = ("PYTHONDONTWRITEBYTECODE", "SOURCE_DATE_EPOCH", "JUPYTER_PATH", "IPYTHONDIR", "MPLBACKEND")


@dataclass(frozen=True)
class Kernels:
    """Folders with kernel specs: `named` has one a framework, by its name; a folder of `alone` has one, `python3`."""

    named: Path
    alone: Mapping[str, Path]
    ipython: Path

    def environ(self, framework: str = "", cells: Path | None = None, imports: bool = True) -> dict[str, str]:
        """Return the variables for a program that starts these kernels.

        Args:
            framework: the one whose kernel is `python3`; without it each has its own name.
            cells: where the kernels write their cells' times.
            imports: whether such kernels make the framework's imports before the first cell.
        """
        return {
            **clean_environ(peer=True),
            "JUPYTER_PATH": str(self.alone[framework] if framework else self.named),
            "IPYTHONDIR": str(self.ipython / ("hooked" if cells else "plain")),
            "BENCH_CELLS": str(cells or ""),
            "BENCH_IMPORTS_FIRST": "1" if imports else "",
        }


def make_kernels(book: Book, folder: Path) -> Kernels:
    """Write kernel specs for the book's frameworks into `folder`, and IPython's two folders of settings."""
    config = book.config
    alone = {}
    for name, framework in config.frameworks.items():
        _write_spec(folder / "named", name, config, framework)
        alone[name] = folder / name
        _write_spec(alone[name], "python3", config, framework)
    hooked = folder / "ipython" / "hooked" / "profile_default" / "startup"
    hooked.mkdir(parents=True)
    environ = "__import__('os').environ"
    imports = f"{environ}['BENCH_IMPORTS'] if {environ}['BENCH_IMPORTS_FIRST'] else ''"
    line = hook_line(f"{environ}['BENCH_CELLS']", imports)
    (hooked / "hook.py").write_text(line + "\n", encoding="utf-8")
    return Kernels(folder / "named", alone, folder / "ipython")


def clean_environ(peer: bool = False) -> dict[str, str]:
    """Return this process's variables without those that change what is measured.

    Bytecode is written, as Python does unless it is told otherwise: a machine that forbids it compiles all of a
    framework's sources at each import.
    """
    unwanted = {*_UNWANTED, *(["PYTHONPATH"] if peer else [])}
    return {name: value for name, value in os.environ.items() if name not in unwanted}


def imports_of(config: Config, framework: Framework) -> str:
    """Return what a fork server imports, a statement a line."""
    library = Path(config["tabbook"]["library"]).name
    return "\n".join([*framework.imports, f"import {library}.{framework.module}"])


def kernel_environ(config: Config, framework: Framework) -> dict[str, str]:
    """Return the variables of a framework's kernels, without those for a cache: ordinary kernels have none."""
    workers = int(config["tabbook"]["workers"]) or len(os.sched_getaffinity(0))
    threads = max(1, len(os.sched_getaffinity(0)) // workers)
    return {
        **dict.fromkeys(_CAPS, str(threads)),
        **{name: value for name, value in framework.environ if "{cache}" not in value},
        "PYTHONPATH": str((config.root / config["tabbook"]["library"]).parent),
        "PYTHONHASHSEED": "0",
        "PYTHONWARNINGS": "ignore::DeprecationWarning",
    }


def _write_spec(folder: Path, name: str, config: Config, framework: Framework) -> None:
    python = environment_python(config.environments_dir, framework.name)
    environ = {**kernel_environ(config, framework), "BENCH_IMPORTS": imports_of(config, framework)}
    spec = {
        "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": framework.title,
        "language": "python",
        "env": environ,
    }
    target = folder / "kernels" / name
    target.mkdir(parents=True)
    (target / "kernel.json").write_text(json.dumps(spec, indent=1), encoding="utf-8")
