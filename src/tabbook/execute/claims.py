"""Which notebooks are being executed now, so that two builds on one store do not both execute one.

A claim is a lock on a file of the store; the system gives it up when its process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

__all__ = ["Claim", "take_claim"]


class Claim:
    """A notebook that is this build's to execute, until it is released."""

    def __init__(self, path: Path, handle: int | None) -> None:
        self._path = path
        self._handle = handle

    def release(self) -> None:
        if self._handle is None:
            return
        with contextlib.suppress(OSError):
            self._path.unlink()  # while it is locked: whoever opened it meanwhile will see that it is not there
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
            return Claim(path, None)
        if _is(handle, path):
            return Claim(path, handle)
        os.close(handle)  # its owner has released, and so removed, it between our opening and locking


def _is(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False
