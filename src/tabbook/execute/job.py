"""One notebook to be executed and what came of it, as plain data that can be sent to any machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from tabbook.execute.schedule import Node

__all__ = ["CellFailure", "Host", "HostLostError", "Job", "Outcome"]

Output = dict[str, Any]


@dataclass(eq=False)  # exceptions must be hashable, and the interpreter writes to their attributes
class CellFailure(Exception):  # noqa: N818 - not an error of ours, and named like EnvironmentFailure
    """A cell that did not run to its end.

    `index` is the cell's place among the cells (-1: the prelude), `line` the failing line within it (from 1; 0 if
    unknown), `cause` says what happened.
    """

    index: int
    line: int
    cause: str


@dataclass(frozen=True)
class Job:
    """The cells of one framework's notebook of a page, and the code that is run before them."""

    page: str
    framework: str
    sources: tuple[str, ...]
    seed: str


@dataclass(frozen=True)
class Outcome:
    """What an execution gave, in so many seconds: outputs cell by cell and their provenance, or a failure."""

    seconds: float
    outputs: tuple[tuple[Output, ...], ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    failure: CellFailure | None = None

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False).encode("utf-8", "surrogatepass")

    @classmethod
    def from_bytes(cls, content: bytes) -> Outcome:
        """Return the outcome that was written so; nothing in it is ever run.

        Raises:
            ValueError: it is none.
        """
        try:
            found = json.loads(content.decode("utf-8", "surrogatepass"))
            failure = CellFailure(**found["failure"]) if found["failure"] else None
            outputs = tuple(tuple(cell) for cell in found["outputs"])
            return cls(float(found["seconds"]), outputs, dict(found["provenance"]), failure)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an outcome: {error}") from error


class HostLostError(Exception):
    """A machine is gone, and what it was executing with it; the text says which."""


class Host(Protocol):
    """A machine that executes notebooks: this one, or a node of a cluster."""

    node: Node

    async def run(self, job: Job, gpus: tuple[str, ...]) -> Outcome:
        """Execute a notebook that sees these GPUs and no other.

        Raises:
            HostLostError: the machine is gone.
        """
