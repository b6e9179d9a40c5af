"""Remove from a store what no page needs, and what interrupted writes have left."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tabbook.errors import BookError
from tabbook.execute.claims import abandoned_claims, locked
from tabbook.execute.shard import PLANS
from tabbook.execute.store import OutputStore, read_state

__all__ = ["Collected", "collect", "parse_size", "size_text"]

_LEFTOVER_AGE = 3600.0
"""Seconds after which a write is not under way any more."""

_PLAN_AGE = 86400.0
"""Seconds after which the parts of a divided execution have started, and their plan is needed no longer."""

_NOTE_DELAY = 2.0
"""Seconds that a build may take between storing outputs and noting that a page has them."""

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass
class Collected:
    """What was removed, or would be, and what stays; sizes are bytes."""

    entries: int = 0
    entries_size: int = 0
    leftovers: int = 0
    leftovers_size: int = 0
    stay: int = 0
    stay_size: int = 0

    def text(self, dry_run: bool) -> str:
        """Return the closing line.

        >>> print(Collected(1, 2048, 0, 0, 8, 3 * 2**20).text(dry_run=True))
        would free 1 entry (2.0 KiB) and 0 leftovers (0 B); 8 entries (3.0 MiB) stay
        """
        entries = "1 entry" if self.entries == 1 else f"{self.entries} entries"
        leftovers = "1 leftover" if self.leftovers == 1 else f"{self.leftovers} leftovers"
        stay = "1 entry" if self.stay == 1 else f"{self.stay} entries"
        freed = f"{entries} ({size_text(self.entries_size)}) and {leftovers} ({size_text(self.leftovers_size)})"
        verb = "stays" if self.stay == 1 else "stay"
        return f"{'would free' if dry_run else 'freed'} {freed}; {stay} ({size_text(self.stay_size)}) {verb}"


@dataclass(frozen=True, order=True)
class _Entry:
    made: float
    key: str
    size: int


def parse_size(text: str) -> int:
    """Return a size in bytes.

    >>> parse_size("1.5K"), parse_size("500M"), parse_size("2GiB"), parse_size("7")
    (1536, 524288000, 2147483648, 7)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE | re.ASCII)
    if match is None:
        raise BookError(f"{text}: not a size.\n    hint: write a number with K, M or G behind it, such as 500M")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def size_text(size: int) -> str:
    value, units = float(size), ["B", "KiB", "MiB", "GiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.0f} B" if units[0] == "B" else f"{value:.1f} {units[0]}"


def collect(store: OutputStore, needed: Set[str], limit: int | None, dry_run: bool) -> Collected:
    """Remove entries that are neither `needed` nor known of a page, and old leftovers.

    Args:
        store: the store; other builds may use it meanwhile.
        needed: keys that stay in any case.
        limit: with it, the oldest are removed, and only until all entries together take no more bytes than this.
        dry_run: remove nothing, say only what would be removed.
    """
    done = Collected()
    if not store.folder.is_dir():
        return done
    with locked(store.folder):
        entries = sorted(_Entry(_made(path), key, _size(path)) for key, path in store.entries())
        total = sum(entry.size for entry in entries)
        for entry in _unused(store, entries, needed):
            if limit is not None and total <= limit:
                break
            if not dry_run:
                store.drop(entry.key)
            if dry_run or not store.has(entry.key):
                done.entries += 1
                done.entries_size += entry.size
                total -= entry.size
        done.stay, done.stay_size = len(entries) - done.entries, total
        for path in _leftovers(store.folder):
            done.leftovers += 1
            done.leftovers_size += _size(path)
            if not dry_run:
                _delete(path)
        for claim in abandoned_claims(store.folder):
            if _is_old(claim.path):
                done.leftovers += 1
                if not dry_run:
                    claim.release()
    return done


def _unused(store: OutputStore, entries: list[_Entry], needed: Set[str]) -> list[_Entry]:
    """Return the entries that no page has; a build that has just stored one is given the time to note it."""
    used = needed | _noted(store)
    unused = [entry for entry in entries if entry.key not in used]
    age = time.time() - max((entry.made for entry in unused), default=0.0)
    if age < _NOTE_DELAY:
        time.sleep(min(_NOTE_DELAY, _NOTE_DELAY - age))
        used = needed | _noted(store)
    return [entry for entry in unused if entry.key not in used]


def _noted(store: OutputStore) -> set[str]:
    """Return the keys that the states of all pages name, of this book's and of others."""
    keys = set()
    for path in (store.folder / "pages").rglob("*.json"):
        with suppress(ValueError, FileNotFoundError):  # damaged: it names nothing. Another error ends the collection.
            keys.add(read_state(path.read_bytes()).key)
    return keys


def _leftovers(folder: Path) -> Iterator[Path]:
    """Yield what interrupted writes and removals have left, in the whole store, and plans that nobody needs."""
    yield from (path for path in folder.glob(f"{PLANS}/*.json") if _is_old(path, _PLAN_AGE))
    for place, folders, files in os.walk(folder):
        named = [name for name in (*folders, *files) if name.startswith((".new-", ".old-"))]
        folders[:] = [name for name in folders if name not in named]
        for path in (Path(place) / name for name in named):
            if _is_old(path):
                yield path


def _is_old(path: Path, age: float = _LEFTOVER_AGE) -> bool:
    return _made(path) < time.time() - age


def _made(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:  # gone in the meantime
        return time.time()


def _size(path: Path) -> int:
    size = 0
    for file in [path, *path.rglob("*")] if path.is_dir() else [path]:
        with suppress(OSError):
            size += 0 if file.is_dir() else file.lstat().st_size
    return size


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
