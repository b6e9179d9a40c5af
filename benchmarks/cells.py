"""The cells' own time, measured within the kernels by hooks of IPython.

A kernel that starts with `hook_line` writes how long each of its cells took. The framework's import is not a cell's
own time, but a kernel's start, whatever cell it is written in: so the kernels that give the reference make the imports
before their first cell.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CellTimes", "hook_line", "notebook_digests", "read_times"]

_HOOK = Path(__file__).with_name("hook.py")


@dataclass(frozen=True)
class CellTimes:
    """Seconds of the cells of a notebook, in order."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]


def hook_line(folder: str, imports: str = "''") -> str:
    """Return a line of Python that lets a kernel write its cells' times; both arguments are expressions of Python."""
    return f"__import__('runpy').run_path({str(_HOOK)!r})['begin']({folder}, {imports})"


def notebook_digests(notebooks: Mapping[str, Path]) -> dict[str, tuple[str, ...]]:
    """Return by name the digests of the notebooks' code cells."""
    found = {}
    for name, path in notebooks.items():
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        found[name] = tuple(hashlib.sha256(source.encode()).hexdigest() for source in sources)
    return found


def read_times(folder: Path, digests: Mapping[str, tuple[str, ...]]) -> dict[str, CellTimes]:
    """Return by name the cells' times that kernels have written into `folder`.

    Raises:
        LookupError: a notebook's kernel has written nothing, or something else than its cells.
    """
    kernels: dict[tuple[str, ...], CellTimes] = {}
    for file in folder.glob("*.jsonl"):
        rows = _executed(json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
        kernels[tuple(row[0] for row in rows)] = CellTimes(tuple(row[1] for row in rows), tuple(row[2] for row in rows))
    missing = [name for name, cells in digests.items() if cells not in kernels]
    if missing:
        raise LookupError(f"no kernel has said how long the cells of {missing[0]} took ({folder})")
    return {name: kernels[cells] for name, cells in digests.items()}


def _executed(rows: Iterable[list[object]]) -> list[tuple[str, float, float]]:
    return [(str(digest), float(str(wall)), float(str(cpu))) for digest, wall, cpu in rows]
