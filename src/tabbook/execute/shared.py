"""A second store behind a build's own: what others have executed, read and never written.

What comes from there is JSON that is verified as the own store's is, and checked to be outputs and nothing else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tabbook.execute.origin import Origin, open_origin
from tabbook.execute.store import (
    ENTRY_FILES,
    DamagedEntryError,
    OutputStore,
    PageState,
    Record,
    entry_name,
    read_record,
    read_state,
)

__all__ = ["LayeredStore", "SharedStore", "foreign_record", "foreign_state", "open_store", "shared_report"]

_KEY_OR_NOTHING = re.compile(r"([0-9a-f]{64})?")


def foreign_record(key: str, files: Mapping[str, bytes]) -> Record:
    """Return what an entry from elsewhere holds: verified, and of the shape that a kernel's outputs have.

    Raises:
        DamagedEntryError: it is not as it was written, or not outputs.
    """
    record = read_record(key, files)
    for source, outputs in record.cells:
        if not isinstance(source, str) or not isinstance(outputs, list) or not all(map(_is_output, outputs)):
            raise DamagedEntryError(key)
    if not _is_provenance(record.provenance):
        raise DamagedEntryError(key)
    return record


def _is_output(output: Any) -> bool:
    match output:
        case {"output_type": "stream", "name": str(), "text": str()}:
            return True
        case {"output_type": "display_data" | "execute_result", "data": dict(), "metadata": dict()}:
            return True
        case {"output_type": "error", "ename": str(), "evalue": str(), "traceback": list()}:
            return True
    return False


def _is_provenance(provenance: Any) -> bool:
    match provenance:
        case {"duration": duration} if not isinstance(duration, int | float):
            return False
        case {"versions": versions} if not isinstance(versions, dict):
            return False
    return isinstance(provenance, dict)


def foreign_state(content: bytes) -> PageState:
    """Return a page state from elsewhere, without the letter of its failure, which was for its own machine.

    Raises:
        ValueError: it is none.
    """
    state = read_state(content)
    if not _KEY_OR_NOTHING.fullmatch(state.key) or not _KEY_OR_NOTHING.fullmatch(state.failed_key):
        raise ValueError("not a key")
    if not math.isfinite(state.seconds) or state.seconds < 0:
        raise ValueError("not a duration")
    return replace(state, failure=None)


class SharedStore:
    """A store that is read only, in a folder or below a URL. What is not there is asked for once."""

    def __init__(self, address: str, origin: Origin) -> None:
        self.address = address
        self.origin = origin
        self.asked = 0
        self.found = 0
        self.absent: set[str] = set()
        self.damaged: set[str] = set()
        self.trouble = ""

    def entry(self, key: str) -> tuple[Record, dict[str, bytes]] | None:
        """Return an entry, verified; None if there is none or it is damaged."""
        if key in self.absent or key in self.damaged or not re.fullmatch(r"[0-9a-f]{64}", key):
            return None
        self.asked += 1
        files: dict[str, bytes] = {}
        for name in ENTRY_FILES:
            content = self._read(f"{entry_name(key)}/{name}")
            if content is None:
                self.absent.add(key)
                return None
            files[name] = content
        try:
            record = foreign_record(key, files)
        except DamagedEntryError:
            self.damaged.add(key)
            return None
        self.found += 1
        return record, files

    def state(self, framework: str, page: str) -> PageState:
        name = f"pages/{framework}/{page}.json"
        content = None if name in self.absent else self._read(name)
        if content is None:
            self.absent.add(name)
            return PageState()
        try:
            return foreign_state(content)
        except ValueError:
            return PageState()

    def _read(self, name: str) -> bytes | None:
        """Return a file; after the first failure nothing is tried again, so that a dead network is waited for once."""
        if self.trouble:
            return None
        try:
            return self.origin.read(name)
        except OSError as error:
            self.trouble = str(error) or type(error).__name__
            return None

    def report(self) -> list[str]:
        """Return what is to be said of the store."""
        if self.trouble:
            hint = "what was not read from there is missing or was executed here; check the address and the network"
            return [f"{self.address}: error: it cannot be read: {self.trouble}\n    hint: {hint}"]
        lines = [f"{self.address}: the entry {key[:12]} is damaged there; it was not used" for key in self.damaged]
        if self.asked and not self.found and not self.damaged:
            hint = "check that the address is a store's, and that it was filled from these very pages and requirements"
            noun = "the notebook" if self.asked == 1 else f"any of the {self.asked} notebooks"
            lines.append(f"{self.address}: it has no outputs for {noun} that were asked for.\n    hint: {hint}")
        return sorted(lines)


class LayeredStore(OutputStore):
    """A store in a folder with another behind it; what is found there is copied here if this folder can be written."""

    def __init__(self, folder: Path, shared: SharedStore) -> None:
        super().__init__(folder)
        self.shared = shared

    def load(self, key: str) -> Record | None:
        record = super().load(key)
        if record is not None:
            return record
        found = self.shared.entry(key)
        if found is None:
            return None
        record, files = found
        with suppress(OSError):
            self.keep(key, files)
        return record

    def state(self, framework: str, page: str) -> PageState:
        """Return what is known of a page here; where nothing is, what is known of it there."""
        state = super().state(framework, page)
        return self.shared.state(framework, page) if state == PageState() else state


def open_store(folder: Path, address: str | None) -> OutputStore:
    """Return the store in `folder`, with the one at `address`, if any, behind it.

    Raises:
        BookError: the address cannot be one of a store.
    """
    return LayeredStore(folder, SharedStore(address, open_origin(address))) if address else OutputStore(folder)


def shared_report(store: OutputStore) -> Sequence[str]:
    """Return what is to be said of the store behind a store, if there is one."""
    return store.shared.report() if isinstance(store, LayeredStore) else ()
