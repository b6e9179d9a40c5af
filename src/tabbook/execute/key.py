"""What an execution depends on, and nothing else: the key under which its outputs are kept.

Prose, titles, tabs, language, file names and times are not in it, so two languages share one execution.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabbook.config import Config, Framework
from tabbook.execute.marks import gpus_wanted
from tabbook.notebook import code_source
from tabbook.pins import versions_part
from tabbook.select import Selection

__all__ = ["Key", "data_files", "library_digest", "notebook_keys", "parts_digest"]

STORE_FORMAT = 1


@dataclass(frozen=True)
class Key:
    """`digest` names the entry; `parts` is what it was made from, for people to read."""

    digest: str
    parts: dict[str, Any]


def notebook_keys(selection: Selection, framework: Framework, config: Config) -> tuple[Key, ...]:
    """Return the keys under which one framework's notebook of a page may be kept, the best first.

    There are two where cells ask for GPUs: that of an execution which has them, and that of one which has not.
    """
    sources = [code_source(cell) for _, cell in selection.code]
    devices = ("gpu", "cpu") if gpus_wanted(sources) else ("cpu",)
    every = [{**_common_parts(framework, config), "cells": sources, "device": device} for device in devices]
    return tuple(Key(parts_digest(parts), parts) for parts in every)


def _common_parts(framework: Framework, config: Config) -> dict[str, Any]:
    """Return what all notebooks of a framework depend on; the files are read once for one value of `config`."""
    if framework.name not in config.memory:
        versions = versions_part(framework)
        config.memory[framework.name] = {
            "format": STORE_FORMAT,
            "python": versions.python,
            "requirements": versions.requirements,
            "library": library_digest(config, framework.name),
            "data": _files_digest(config.root, data_files(config)),
            "seed": framework.seed_code.replace("{seed}", config["tabbook"]["seed"]),
            "environ": [list(pair) for pair in framework.environ],
        }
    return config.memory[framework.name]


def parts_digest(parts: Any) -> str:
    """Return the digest that stands for `parts`."""
    canonical = json.dumps(parts, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def library_digest(config: Config, framework: str) -> str:
    """Return a digest of the companion library as `framework` sees it: its own modules and the shared ones."""
    package = config.root / config["tabbook"]["library"]
    if not package.is_dir():
        return ""
    others = {name for tab in config.tabs for name in _modules(config, tab)} - _modules(config, framework)
    files = (path for path in package.rglob("*.py") if path.relative_to(package).parts[0].split(".")[0] not in others)
    return _files_digest(package, files)


def _modules(config: Config, tab: str) -> set[str]:
    """Return what a framework's own module in the library may be called: as the tab, or otherwise (torch, pytorch)."""
    return {tab, config.frameworks[tab].module}


def data_files(config: Config) -> set[Path]:
    """Return the files that the book says its cells read."""
    patterns = config["tabbook"]["data"].split()
    return {path for pattern in patterns for path in config.root.glob(pattern) if path.is_file()}


def _files_digest(root: Path, files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
