"""What the actor of a node (ray_actor) and the program that executes notebooks there (ray_machine) say.

Both say lines of JSON. The actor: a `Header`, followed by the bytes of the book's bundle, and for each notebook
``{"number": 1, "job": {…}, "gpus": […]}``. The program: ``{"report": text}`` for the author at any time, once
``{"ready": Ready}`` or ``{"failed": text}``, and for each notebook ``{"number": 1, "outcome": text}``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, TypedDict

__all__ = ["LONGEST_LINE", "Header", "Ready", "code_digest"]

LONGEST_LINE = 2**31
"""Bytes; asyncio wants to know. All outputs of a notebook are one line."""


class Header(TypedDict):
    """What the node is to be; `size` is that of the bundle, `environ` is set for the kernels."""

    size: int
    name: str
    cpus: int
    memory: int
    gpus: list[dict[str, Any]]
    frameworks: list[str]
    environ: dict[str, str]


class Ready(TypedDict):
    """What the node is, by which versions its frameworks make outputs, and which have no environment, and why."""

    cpus: int
    memory: int
    gpus: list[str]
    versions: dict[str, list[str]]
    missing: dict[str, str]


def code_digest() -> str:
    """Return a digest of this package: who makes the outputs runs the code that has made their keys."""
    folder = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.ini")]):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
