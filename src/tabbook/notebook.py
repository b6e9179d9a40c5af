"""A selection as a Jupyter notebook, cell for cell the one that d2lbook makes of the same page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

from tabbook.document import Cell, CodeCell, TextCell
from tabbook.execute.marks import execution_marks
from tabbook.select import Selection

__all__ = ["canonical_text", "to_notebook"]

_MAGIC = {"bash": "%%bash", "r": "%%R", "ruby": "%%ruby"}
_FENCE = re.compile(r"(`{3,}|~{3,}) *(.*)$")


def code_source(cell: CodeCell) -> str:
    """Return what a kernel runs: the cell's source, under a cell magic where it is not Python."""
    magic = _MAGIC.get(cell.language)
    return "\n".join(part for part in (magic, cell.source) if part)


def canonical_text(source: str, in_block: bool = False) -> str:
    """Return prose with the blank lines that d2lbook's notebooks have.

    Text around a fenced block is stripped and set off by blank lines (two after the block). Outside a tab block
    (`in_block`), blocks of backticks are stripped as well and a single blank line follows them.
    """
    pieces: list[str] = []
    for is_fence, lines in _fences(source.split("\n"), "`~"):
        text = "\n".join(lines)
        pieces.append(text + "\n" if is_fence else text.strip())
    # d2lbook splits lines as Python does, so a form feed or U+2028 becomes a newline.
    spaced = "\n".join("\n\n".join(piece for piece in pieces if piece).splitlines())
    if in_block:
        return spaced.strip()
    blocks = [
        _canonical_fence(lines) if is_fence else "\n".join(lines).strip()
        for is_fence, lines in _fences(spaced.split("\n"), "`")
    ]
    return "\n\n".join(block for block in blocks if block)


def _fences(lines: list[str], marks: str) -> Iterator[tuple[bool, list[str]]]:
    """Yield runs of lines as (is a fenced block, lines)."""
    start = position = 0
    while position < len(lines):
        end = _fence_end(lines, position) if lines[position][:1] in marks else None
        if end is None:
            position += 1
            continue
        yield False, lines[start:position]
        yield True, lines[position:end]
        start = position = end
    yield False, lines[start:]


def _fence_end(lines: list[str], first: int) -> int | None:
    """Return the index behind the fenced block that begins on line `first`, if one does."""
    opening = _FENCE.match(lines[first])
    if not opening:
        return None
    closing = (index for index in range(first + 1, len(lines)) if lines[index].rstrip() == opening[1])
    end = next(closing, None)
    return None if end is None else end + 1


def _canonical_fence(lines: list[str]) -> str:
    opening = _FENCE.match(lines[0])
    assert opening is not None
    return "\n".join([opening[1] + opening[2], "\n".join(lines[1:-1]).strip(), opening[1]])


def to_notebook(selection: Selection, outputs: Mapping[int, list[dict[str, Any]]] | None = None) -> dict[str, Any]:
    """Return the notebook (nbformat 4.5) of a selection.

    Args:
        selection: what one framework's reader has.
        outputs: nbformat outputs by position in the page; without them a cell has those that the page gives.

    Cell ids are the positions, so the same page always gives the same bytes.
    """
    cells = [_notebook_cell(position, cell, selection.tab, outputs) for position, cell in _joined(selection.cells)]
    metadata: dict[str, Any] = {"language_info": {"name": "python"}}
    if selection.libraries:
        metadata["required_libs"] = list(selection.libraries)
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _joined(cells: tuple[tuple[int, Cell], ...]) -> Iterator[tuple[int, Cell]]:
    """Yield the cells with prose as notebooks have it; prose of the same tabs that follows in the page is one cell."""

    def run(item: tuple[int, tuple[int, Cell]]) -> tuple[object, ...]:
        index, (position, cell) = item
        # Cells that follow each other have the same difference between their place here and in the page.
        return (index - position, cell.tabs) if isinstance(cell, TextCell) else (index, None, position)

    for _, group in groupby(enumerate(cells), key=run):
        pairs = [pair for _, pair in group]
        position, cell = pairs[0]
        if isinstance(cell, TextCell):
            yield position, replace(cell, source=_notebook_text([text.source for _, text in pairs], bool(cell.tabs)))
        else:
            yield position, cell


def _notebook_text(sources: list[str], in_block: bool) -> str:
    if in_block:
        return "\n\n".join(canonical_text(source, in_block) for source in sources) + "\n"
    return canonical_text("\n\n".join(source.strip() for source in sources)) + "\n"


def _notebook_cell(
    position: int, cell: Cell, tab: str | None, outputs: Mapping[int, list[dict[str, Any]]] | None
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"origin_pos": position}
    if tab and (cell.tabs or isinstance(cell, CodeCell)):
        metadata["tab"] = [tab]
    common = {"id": f"cell-{position}", "metadata": metadata}
    if isinstance(cell, TextCell):
        return {"cell_type": "markdown", "source": cell.source, **common}
    if execution_marks(cell.source).raises is not None:
        metadata["tags"] = ["raises-exception"]  # Jupyter goes on behind it where all cells are run
    shown = list(cell.outputs) if outputs is None else outputs.get(position, [])
    return {"cell_type": "code", "source": code_source(cell), "execution_count": None, "outputs": shown, **common}
