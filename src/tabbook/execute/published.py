"""What readers may be shown for a notebook: its own outputs, older ones, or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, Literal

from tabbook.config import Config
from tabbook.execute.key import notebook_keys, parts_digest
from tabbook.execute.marks import execution_marks, is_run
from tabbook.execute.store import OutputStore, Record
from tabbook.notebook import code_source
from tabbook.select import Selection

__all__ = ["Published", "publish", "published_outputs"]

Output = dict[str, Any]


@dataclass(frozen=True)
class Published:
    """Outputs by position in the page.

    `state` says what they are: ``fresh`` (of exactly this code), ``old`` (of the cells that have not changed since
    they were last run), or ``none``. `skipped` gives the reason for each cell that was not run: its author's, or
    nothing for a cell that needs a GPU which was not there. `failed` says that the last run of this code failed.
    `fingerprint` changes when any of it does. `origin` tells where the outputs come from: their key, and what readers
    may know of their provenance.
    """

    state: Literal["fresh", "old", "none"]
    outputs: Mapping[int, list[Output]] = field(default_factory=dict)
    skipped: Mapping[int, str] = field(default_factory=dict)
    failed: bool = False
    fingerprint: str = ""
    origin: Mapping[str, Any] = field(default_factory=dict)


def publish(config: Config, store: OutputStore, page: str, selection: Selection) -> Published:
    """Return what the store has for one framework's notebook of a page."""
    assert selection.tab is not None
    keys = notebook_keys(selection, config.frameworks[selection.tab], config)
    for key in keys:
        record = store.load(key.digest)
        if record is not None:
            origin = _origin(key.digest, record)
            fingerprint = f"{key.digest} {parts_digest([record.cells, origin])}"
            skipped = _skipped(selection, has_gpu=key.parts["device"] == "gpu")
            return Published("fresh", _by_position(selection, record), skipped, False, fingerprint, origin)
    state = store.state(selection.tab, page)
    older = store.load(state.key) if state.key else None
    failed = state.failed_key in [key.digest for key in keys]
    origin = _origin(state.key, older) if older else {}
    fingerprint = f"{keys[-1].digest} {state.key if older else ''} {failed} {parts_digest(origin)}"
    skipped = _skipped(selection, has_gpu=True)  # that nothing, or something older, was run is said anyway
    if older is None:
        return Published("none", {}, skipped, failed, fingerprint)
    return Published("old", _by_position(selection, older), skipped, failed, fingerprint, origin)


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


def _skipped(selection: Selection, has_gpu: bool) -> dict[int, str]:
    marks = {position: execution_marks(cell.source) for position, cell in selection.code}
    gpus = max((mark.gpus for mark in marks.values()), default=0) if has_gpu else 0
    return {position: mark.skip for position, mark in marks.items() if not is_run(mark, gpus)}
