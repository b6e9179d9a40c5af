"""One page as the notebook that Sphinx reads: all frameworks' cells merged, each tagged with its frameworks."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabbook.config import Config
from tabbook.dialect.slides import strip_slide_marks
from tabbook.document import CodeCell, Document
from tabbook.execute.published import Published, publish
from tabbook.execute.store import OutputStore
from tabbook.merge import Group, Panel, Shown, merge
from tabbook.pages import page_name, read_document
from tabbook.select import Selection, select
from tabbook.strings import text

__all__ = ["TAG_PREFIX", "PageView", "fingerprint", "view_page"]

TAG_PREFIX = "fw-"
"""A cell's tag `fw-x` says that it is for the readers of framework x."""

_TEXT_FENCE = "`" * 12


@dataclass(frozen=True)
class PageView:
    """A page ready to be rendered: its notebook (nbformat 4.5) and the frameworks that it has.

    `provenance` says, for each framework whose outputs are shown, where they come from.
    """

    notebook: dict[str, Any]
    frameworks: tuple[str, ...]
    provenance: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class _Source:
    document: Document
    notebooks: dict[str, tuple[Selection, Published]]


def _read(config: Config, store: OutputStore, path: Path) -> _Source:
    document = read_document(config, path)
    notebooks = {}
    for tab in config.tabs:
        selection = select(document, tab, config.tabs)
        if selection is not None:
            notebooks[tab] = (selection, publish(config, store, page_name(config, path), selection))
    return _Source(document, notebooks)


def fingerprint(config: Config, store: OutputStore, path: Path) -> str:
    """Return a digest of all that a page shows: its source, and the outputs that the store has for it."""
    digest = hashlib.sha256(path.read_bytes())
    for tab, (_, published) in _read(config, store, path).notebooks.items():
        digest.update(f"\0{tab} {published.fingerprint}".encode())
    return digest.hexdigest()


def view_page(config: Config, store: OutputStore, path: Path) -> PageView:
    """Return the page as it is rendered; cells whose outputs are missing or old say so."""
    source = _read(config, store, path)
    if config.tabs and source.notebooks:
        notebooks = {tab: (cells, seen.outputs) for tab, (cells, seen) in source.notebooks.items()}
        notices = {tab: _notice(seen, config.language) for tab, (_, seen) in source.notebooks.items()}
        skipped = {tab: _skip_texts(seen, config.language) for tab, (_, seen) in source.notebooks.items()}
        merged = merge(source.document, notebooks, notices, skipped)
    else:
        merged = [_untabbed(position, cell) for position, cell in enumerate(source.document.cells)]
    cells: list[dict[str, Any]] = []
    lines: list[int] = []
    for item in merged:
        for cell, line in _cells(item):
            cell["id"] = f"cell-{len(cells)}"
            cells.append(cell)
            lines.append(line - 2)  # MyST-NB counts from 0 and adds 1
    frameworks = tuple(source.notebooks) if any(isinstance(item, Group) for item in merged) else ()
    metadata = {"language_info": {"name": "python"}, "source_map": lines}
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    provenance = {
        tab: dict(seen.origin) for tab, (cells, seen) in source.notebooks.items() if cells.code and seen.origin
    }
    return PageView(notebook, frameworks, provenance)


def _untabbed(position: int, cell: Any) -> Shown:
    return Shown(position, cell, cell.source, getattr(cell, "outputs", ()))


def _cells(item: Shown | Group) -> list[tuple[dict[str, Any], int]]:
    if isinstance(item, Group):
        return [pair for panel in item.panels for pair in _panel(panel)]
    return [(_cell(item, (), _said(item.skipped, item.notice)), _line(item))]


def _panel(panel: Panel) -> list[tuple[dict[str, Any], int]]:
    """Return a panel's cells; what is to be said of its outputs is said once, under the last of its code."""
    last = max((index for index, cell in enumerate(panel.cells) if cell.is_code), default=-1)
    return [
        (_cell(cell, panel.tabs, _said(cell.skipped, cell.notice if index == last else "")), _line(cell))
        for index, cell in enumerate(panel.cells)
    ]


def _line(shown: Shown) -> int:
    return shown.cell.span.first if shown.is_code else shown.cell.first_line - bool(shown.cell.tabs)


def _cell(shown: Shown, tabs: Sequence[str], notices: Sequence[dict[str, Any]]) -> dict[str, Any]:
    tags = [f"{TAG_PREFIX}{tab}" for tab in tabs]
    if isinstance(shown.cell, CodeCell):
        tags += [] if shown.source else ["remove-input"]
        # MyST-NB skips a cell without source, outputs and all: a hidden one gets a source that is not shown.
        return {
            "cell_type": "code",
            "source": shown.source or "# hidden",
            "execution_count": None,
            "outputs": [*shown.outputs, *notices],
            "metadata": {"tags": tags},
        }
    source = strip_slide_marks(shown.source)
    if tabs:
        source = f"{_TEXT_FENCE}{{framework}} {' '.join(tabs)}\n{source}\n{_TEXT_FENCE}"
    return {"cell_type": "markdown", "source": source, "metadata": {"tags": tags}}


def _notice(seen: Published, language: str) -> str:
    """Return what readers are told of a framework's outputs; nothing where they are fresh."""
    if seen.state == "fresh":
        return ""
    if seen.failed:
        return text(language, "failed")
    return text(language, "old-outputs" if seen.state == "old" else "not-executed")


def _skip_texts(seen: Published, language: str) -> dict[int, str]:
    """Return what readers are told of the cells that were left out."""
    without_gpu = text(language, "without-gpu")
    template = text(language, "skipped")
    return {
        position: template.format(reason=reason) if reason else without_gpu for position, reason in seen.skipped.items()
    }


def _said(*notices: str) -> list[dict[str, Any]]:
    """Return notices as outputs."""
    return [
        {
            "output_type": "display_data",
            "data": {"text/plain": words, "text/html": f'<p class="output-notice">{html.escape(words)}</p>'},
            "metadata": {},
        }
        for words in notices
        if words
    ]
