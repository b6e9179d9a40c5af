"""A page as a value: cells of text and of code, each with the source lines that it stands on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tabbook.errors import Diagnostic

__all__ = ["ALL", "Cell", "CodeCell", "Document", "Span", "TextCell"]

ALL = "all"
"""The tab name that stands for every tab."""


@dataclass(frozen=True)
class Span:
    """Source lines `first` to `last`, counted from 1, both included."""

    first: int
    last: int


@dataclass(frozen=True)
class TextCell:
    """Prose between code cells.

    `source` holds the lines of `span` as they stand in the file, so line n of one is line n of the other.
    Within a tab block the two mark lines belong to the span but not to `source`, and `tabs` names the
    frameworks whose readers see the text; without a block `tabs` is empty and everyone sees it.
    """

    source: str
    span: Span
    tabs: tuple[str, ...] = ()

    @property
    def first_line(self) -> int:
        """The file's line on which `source` begins."""
        return self.span.first + 1 if self.tabs else self.span.first


@dataclass(frozen=True)
class CodeCell:
    """Code to be executed, with the fence lines in `span` and without them in `source`.

    `source` is as written, tab mark included; `tabs` is what the mark names and empty without a mark.
    `outputs` are nbformat outputs that the page itself gives in a ``{.json .output}`` fence.
    """

    source: str
    span: Span
    tabs: tuple[str, ...] = ()
    language: str = "python"
    outputs: tuple[dict[str, Any], ...] = ()

    @property
    def first_line(self) -> int:
        """The file's line on which `source` begins."""
        return self.span.first + 1


Cell = TextCell | CodeCell


@dataclass(frozen=True)
class Document:
    """A page read from its source.

    `path` is relative to the project. `damaged` says that the cells could not be told apart with certainty, so
    that executing them would be a guess.
    """

    path: str
    cells: tuple[Cell, ...]
    diagnostics: tuple[Diagnostic, ...] = field(default=())
    damaged: bool = False

    @property
    def code_cells(self) -> Iterator[CodeCell]:
        return (cell for cell in self.cells if isinstance(cell, CodeCell))
