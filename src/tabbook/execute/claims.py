"""Locks: two builds on one store do not both execute a notebook, and do not both write where only one can.

A claim is a lock on a file of the store. The system gives a lock up when its process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Claim", "abandoned_claims", "locked", "take_claim"]


class Claim:
    """A notebook that is this build's to execute, until it is released."""

    def __init__(self, path: Path, handle: int | None) -> None:
        self.path = path
        self._handle = handle

    @property
    def is_locked(self) -> bool:
        """Tell whether others are really kept out."""
        return self._handle is not None

    def release(self) -> None:
        """Give the notebook up, and remove the file."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                self.path.unlink()  # while it is locked: whoever opened it meanwhile will see that it is not there
            self.unlock()

    def unlock(self) -> None:
        """Give the notebook up; the file stays."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def take_claim(store: Path, key: str) -> Claim | None:
    """Claim the notebook with this key; None while another build, or another page of this one, is executing it.

    Where the store's file system has no locks, every claim is granted: two builds may then do the same work, and the
    store is none the worse for it.
    """
    path = store / "claims" / key
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError:  # a full disk, say: what is wrong is told when the result is written
            return Claim(path, None)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        except OSError:
            os.close(handle)
            path.unlink(missing_ok=True)
            return Claim(path, None)
        if _is(handle, path):
            return Claim(path, handle)
        os.close(handle)  # its owner has released, and so removed, it between our opening and locking


def abandoned_claims(store: Path) -> Iterator[Claim]:
    """Yield the claims that killed builds have left, each taken until the next one is asked for."""
    for path in sorted(store.glob("claims/*")):
        claim = take_claim(store, path.name)
        if claim and claim.is_locked:
            yield claim
            claim.unlock()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder against others that hold it; whoever does not is not kept out of it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems lock no folders
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _is(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False
