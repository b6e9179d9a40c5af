"""The store of outputs: content-addressed, shared by any number of builds, never half-written.

    store/ab/abcd…/key.json       what the outputs were made from, for people
                   outputs.json   {"checksum": …, "record": {"cells": […], "provenance": {…}}}
    store/pages/<framework>/<page>.json   the page's last good key and its last failure

An entry appears whole, by a rename, or not at all. When it is loaded, both of its files are verified to the last byte:
key.json by the entry's name, which is its digest, outputs.json by its checksum.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tabbook.errors import Diagnostic
from tabbook.execute.key import Key, parts_digest

__all__ = ["OutputStore", "PageState", "Record"]

Output = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """What one execution gave: pairs of cell source and nbformat outputs, and where they come from.

    `provenance` holds ``date``, ``duration`` (seconds), ``device`` and ``versions``.
    """

    cells: tuple[tuple[str, list[Output]], ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PageState:
    """What is known of a page in one framework: the key of its last good outputs, and its last failure."""

    key: str = ""
    seconds: float = 0.0
    failed_key: str = ""
    failure: dict[str, Any] | None = None

    @property
    def diagnostic(self) -> Diagnostic | None:
        return Diagnostic(**self.failure) if self.failure else None


class OutputStore:
    """Outputs in a folder.

    `dropped` names the entries that were found damaged and were removed, so that a build can say so.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dropped: list[str] = []

    def load(self, key: str) -> Record | None:
        """Return the outputs under `key`; None if there are none or they are damaged."""
        try:
            return _read_entry(self._entry(key), key)
        except OSError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            self.dropped.append(key)
            _remove(self._entry(key))
            return None

    def save(self, key: Key, record: Record) -> None:
        """Keep outputs under a key; of two builds that finish the same one, the first wins."""
        target = self._entry(key.digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        cells = [{"source": source, "outputs": outputs} for source, outputs in record.cells]
        content = {"cells": cells, "provenance": dict(record.provenance)}
        made = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
        try:
            _write(made / "key.json", key.parts)
            _write(made / "outputs.json", {"checksum": _checksum(key.digest, content), "record": content})
            made.chmod(0o755)
            _place(made, target, key.digest)
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def state(self, framework: str, page: str) -> PageState:
        try:
            state = PageState(**json.loads(self._page(framework, page).read_bytes()))
            return replace(state, seconds=float(state.seconds))
        except (OSError, ValueError, TypeError):
            return PageState()

    def note(self, framework: str, page: str, state: PageState) -> None:
        """Remember what is known of a page."""
        path = self._page(framework, page)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
        os.close(handle)
        try:
            _write(Path(name), asdict(state))
            Path(name).chmod(0o644)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)

    def _entry(self, key: str) -> Path:
        return self.folder / key[:2] / key

    def _page(self, framework: str, page: str) -> Path:
        return self.folder / "pages" / framework / f"{page}.json"


def _read_entry(entry: Path, key: str) -> Record:
    """Return what an entry holds.

    Raises:
        OSError: there is none, or it cannot be read.
        ValueError, KeyError, TypeError, AttributeError: it is not as it was written.
    """
    bytes_of = {name: (entry / name).read_bytes() for name in ("outputs.json", "key.json")}
    content, parts = (json.loads(written) for written in bytes_of.values())
    record = content["record"]
    if parts_digest(parts) != key or content["checksum"] != _checksum(key, record):
        raise ValueError("checksum")
    if [_encoded(content), _encoded(parts)] != list(bytes_of.values()):
        raise ValueError("not the bytes that were written")
    return Record(tuple((cell["source"], cell["outputs"]) for cell in record["cells"]), record["provenance"])


def _place(made: Path, target: Path, key: str) -> None:
    """Give a finished entry its name, unless a good one has it already."""
    try:
        made.rename(target)
    except OSError:
        try:
            _read_entry(target, key)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            _remove(target)
            made.rename(target)


def _remove(entry: Path) -> None:
    """Take an entry away at once, so that no other build sees half of it."""
    with suppress(OSError):  # another build was faster, or the store is read-only
        trash = Path(tempfile.mkdtemp(prefix=".old-", dir=entry.parent))
        try:
            entry.chmod(0o755)  # a read-only folder cannot be moved
            entry.rename(trash / "entry")
        finally:
            shutil.rmtree(trash, ignore_errors=True)


def _checksum(key: str, content: Any) -> str:
    """Return the digest of an entry's content together with the key that it stands under."""
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(f"{key}\n{canonical}".encode("utf-8", "surrogatepass")).hexdigest()


def _encoded(content: Any) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode("utf-8", "surrogatepass")


def _write(path: Path, content: Any) -> None:
    with path.open("wb") as file:
        file.write(_encoded(content))
        file.flush()
        os.fsync(file.fileno())
