"""What readers may be shown for a notebook: its own outputs, older ones, or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, Literal

from tabbook.config import Config
from tabbook.execute.key import notebook_key, parts_digest
from tabbook.execute.store import OutputStore, Record
from tabbook.notebook import code_source
from tabbook.select import Selection

__all__ = ["Published", "publish", "published_outputs"]

Output = dict[str, Any]


@dataclass(frozen=True)
class Published:
    """Outputs by position in the page.

    `state` says what they are: ``fresh`` (of exactly this code), ``old`` (of the cells that have not changed since
    they were last run), or ``none``; `failed` that the last run of this code failed. `fingerprint` changes when any
    of it does. `origin` tells where the outputs come from: their key, and what readers may know of their provenance.
    """

    state: Literal["fresh", "old", "none"]
    outputs: Mapping[int, list[Output]] = field(default_factory=dict)
    failed: bool = False
    fingerprint: str = ""
    origin: Mapping[str, Any] = field(default_factory=dict)


def publish(config: Config, store: OutputStore, page: str, selection: Selection) -> Published:
    """Return what the store has for one framework's notebook of a page."""
    assert selection.tab is not None
    key = notebook_key(selection, config.frameworks[selection.tab], config).digest
    record = store.load(key)
    if record is not None:
        origin = _origin(key, record)
        fingerprint = f"{key} {parts_digest([record.cells, origin])}"
        return Published("fresh", _by_position(selection, record), fingerprint=fingerprint, origin=origin)
    state = store.state(selection.tab, page)
    older = store.load(state.key) if state.key else None
    failed = state.failed_key == key
    origin = _origin(state.key, older) if older else {}
    fingerprint = f"{key} {state.key if older else ''} {failed} {parts_digest(origin)}"
    if older is None:
        return Published("none", failed=failed, fingerprint=fingerprint)
    return Published("old", _by_position(selection, older), failed, fingerprint, origin)


def published_outputs(
    config: Config, store: OutputStore, page: str, selection: Selection
) -> Mapping[int, list[Output]] | None:
    """Return the outputs alone; None for a book without tabs, which is not executed."""
    return None if selection.tab is None else publish(config, store, page, selection).outputs


def _origin(key: str, record: Record) -> dict[str, Any]:
    """Return what is shown of an entry's provenance: all but how long it took, which differs from run to run."""
    shown = ("date", "device", "device_class", "versions")
    return {"key": key, **{name: record.provenance[name] for name in shown if name in record.provenance}}


def _by_position(selection: Selection, record: Record) -> dict[int, list[Output]]:
    """Give each cell the outputs of the same source; of a record of other code, only the unchanged cells' ones."""
    sources = [code_source(cell) for _, cell in selection.code]
    recorded = [source for source, _ in record.cells]
    found: dict[int, list[Output]] = {}
    for start, other, length in SequenceMatcher(None, sources, recorded, autojunk=False).get_matching_blocks():
        for offset in range(length):
            found[selection.code[start + offset][0]] = record.cells[other + offset][1]
    return found
