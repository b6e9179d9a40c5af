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
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tabbook.errors import Diagnostic, naming_full_disk
from tabbook.execute.key import Key, parts_digest

__all__ = [
    "ENTRY_FILES",
    "DamagedEntryError",
    "OutputStore",
    "PageState",
    "Record",
    "entry_name",
    "read_record",
    "read_state",
]

ENTRY_FILES = ("key.json", "outputs.json")
"""The files of an entry."""

Output = dict[str, Any]
Files = Mapping[str, bytes]

_KEY = re.compile(r"[0-9a-f]{64}")


class DamagedEntryError(ValueError):
    """An entry is not as it was written; the message is its key."""


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
        found = self._checked(key)
        return None if found is None else found[1]

    def files(self, key: str) -> Files | None:
        """Return an entry's files, verified; None if there is none or it is damaged."""
        found = self._checked(key)
        return None if found is None else found[0]

    def _checked(self, key: str) -> tuple[Files, Record] | None:
        if not _KEY.fullmatch(key):  # nothing else is a name in this folder
            return None
        try:
            files = _entry_files(self._entry(key))
            return files, read_record(key, files)
        except OSError:
            return None
        except DamagedEntryError:
            self.dropped.append(key)
            self.drop(key)
            return None

    def save(self, key: Key, record: Record) -> None:
        """Keep outputs under a key; of two builds that finish the same one, the first wins."""
        cells = [{"source": source, "outputs": outputs} for source, outputs in record.cells]
        content = {"cells": cells, "provenance": dict(record.provenance)}
        outputs = {"checksum": _checksum(key.digest, content), "record": content}
        self.keep(key.digest, {"key.json": _encoded(key.parts), "outputs.json": _encoded(outputs)})

    def keep(self, key: str, files: Files) -> None:
        """Keep an entry whose files are verified already."""
        with naming_full_disk(self.folder, "outputs"):
            target = self._entry(key)
            target.parent.mkdir(parents=True, exist_ok=True)
            made = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
            try:
                for name in ENTRY_FILES:
                    _write(made / name, files[name])
                made.chmod(0o755)
                _place(made, target, key)
            finally:
                shutil.rmtree(made, ignore_errors=True)

    def drop(self, key: str) -> None:
        """Take an entry away; it stays where it cannot be removed."""
        _remove(self._entry(key))

    def has(self, key: str) -> bool:
        """Tell whether there is an entry, good or damaged."""
        return self._entry(key).exists()

    def entries(self) -> Iterator[tuple[str, Path]]:
        """Yield the keys and folders of all entries, good or damaged."""
        for entry in self.folder.glob("[0-9a-f][0-9a-f]/*"):
            if _KEY.fullmatch(entry.name) and entry.parent.name == entry.name[:2]:
                yield entry.name, entry

    def state(self, framework: str, page: str) -> PageState:
        try:
            return read_state(self._page(framework, page).read_bytes())
        except (OSError, ValueError):
            return PageState()

    def note(self, framework: str, page: str, state: PageState) -> None:
        """Remember what is known of a page."""
        with naming_full_disk(self.folder, "outputs"):
            path = self._page(framework, page)
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
            os.close(handle)
            try:
                _write(Path(name), _encoded(asdict(state)))
                Path(name).chmod(0o644)
                Path(name).replace(path)
            finally:
                Path(name).unlink(missing_ok=True)

    def _entry(self, key: str) -> Path:
        return self.folder / entry_name(key)

    def _page(self, framework: str, page: str) -> Path:
        return self.folder / "pages" / framework / f"{page}.json"


def entry_name(key: str) -> str:
    """Return where an entry lies in a store."""
    return f"{key[:2]}/{key}"


def read_state(content: bytes) -> PageState:
    """Return the page state that was written so.

    Raises:
        ValueError: it is none.
    """
    try:
        state = PageState(**json.loads(content))
        state = replace(state, seconds=float(state.seconds))
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if not isinstance(state.key, str) or not isinstance(state.failed_key, str):
        raise ValueError("a key is a text")
    return state


def read_record(key: str, files: Files) -> Record:
    """Return what an entry's files hold, verified to the last byte.

    Raises:
        DamagedEntryError: they are not as they were written.
    """
    try:
        return _verified(key, files)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedEntryError(key) from error


def _verified(key: str, files: Files) -> Record:
    content, parts = json.loads(files["outputs.json"]), json.loads(files["key.json"])
    record = content["record"]
    if parts_digest(parts) != key or content["checksum"] != _checksum(key, record):
        raise ValueError("checksum")
    if _encoded(content) != files["outputs.json"] or _encoded(parts) != files["key.json"]:
        raise ValueError("not the bytes that were written")
    return Record(tuple((cell["source"], cell["outputs"]) for cell in record["cells"]), record["provenance"])


def _entry_files(entry: Path) -> dict[str, bytes]:
    return {name: (entry / name).read_bytes() for name in ENTRY_FILES}


def _place(made: Path, target: Path, key: str) -> None:
    """Give a finished entry its name, unless a good one has it already."""
    try:
        made.rename(target)
    except OSError:
        try:
            read_record(key, _entry_files(target))
        except (OSError, DamagedEntryError):
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


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
