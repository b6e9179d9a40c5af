"""A store's outputs as one file: written with the same bytes for the same outputs, read with suspicion.

archive.tar.gz   ab/abcd…/key.json, ab/abcd…/outputs.json, pages/<framework>/<page>.json: as in a store
"""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import re
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

from tabbook.execute.origin import LARGEST
from tabbook.execute.shared import foreign_record, foreign_state
from tabbook.execute.store import ENTRY_FILES, DamagedEntryError, OutputStore, PageState, entry_name
from tabbook.execute.task import Task

__all__ = ["ArchiveContent", "ArchiveError", "exported", "member_place", "read_archive", "write_archive"]

T = TypeVar("T")

_MEMBER = re.compile(r"(?P<shard>[0-9a-f]{2})/(?P<key>(?P=shard)[0-9a-f]{62})/(key|outputs)\.json")
_STATE = re.compile(r"pages/(?P<framework>[^/]+)/(?P<page>.+)\.json", re.DOTALL)
_FOLDER = re.compile(r"\.?|pages(/.+)?|[0-9a-f]{2}(/[0-9a-f]{64})?", re.DOTALL)
_BROKEN = (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, ValueError, OverflowError, RecursionError)

_BAD_NAME = (errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.EILSEQ)


class ArchiveError(Exception):
    """Why an archive is not taken in."""


@dataclass(frozen=True)
class ArchiveContent:
    """Keys of entries, and page states by framework and page."""

    keys: tuple[str, ...]
    states: dict[tuple[str, str], PageState]


def exported(tasks: Iterable[Task], store: OutputStore) -> tuple[ArchiveContent, int]:
    """Return what the tasks' readers are shown, and how many of the tasks have no current outputs."""
    keys: set[str] = set()
    states: dict[tuple[str, str], PageState] = {}
    missing = 0
    for task in tasks:
        current = task.stored(store)
        state = replace(store.state(task.framework.name, task.page), failure=None)
        if current:
            state = replace(state, key=current.digest, failed_key="")
        else:
            missing += 1
            state = replace(state, key=state.key if state.key and store.load(state.key) is not None else "")
        keys |= {state.key} - {""}
        if state.key or state.failed_key:
            states[task.framework.name, task.page] = state
    return ArchiveContent(tuple(sorted(keys)), states), missing


def write_archive(content: ArchiveContent, store: OutputStore, target: Path, mtime: int) -> None:
    """Write an archive; it appears whole or not at all."""
    handle, name = tempfile.mkstemp(prefix=".new-", dir=target.parent)
    os.close(handle)
    made = Path(name)
    try:
        with made.open("wb") as raw:
            with (
                gzip.GzipFile("", "wb", 9, raw, mtime=0) as zipped,
                tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
            ):
                for member, written in _members(content, store):
                    archive.addfile(_header(member, len(written), mtime), io.BytesIO(written))
            raw.flush()
            os.fsync(raw.fileno())
        made.chmod(0o644)
        made.replace(target)
    finally:
        made.unlink(missing_ok=True)


def _members(content: ArchiveContent, store: OutputStore) -> Iterator[tuple[str, bytes]]:
    for key in content.keys:
        files = store.files(key)
        if files is None:
            raise OSError(f"the entry {key[:12]} has gone from {store.folder} in the meantime")
        for name in ENTRY_FILES:
            yield f"{entry_name(key)}/{name}", files[name]
    for framework, page in sorted(content.states):
        state = json.dumps(asdict(content.states[framework, page]), ensure_ascii=False, indent=1, sort_keys=True)
        yield f"pages/{framework}/{page}.json", f"{state}\n".encode()


def _header(name: str, size: int, mtime: int) -> tarfile.TarInfo:
    """Return a member's header: no owner, and always the same permissions."""
    header = tarfile.TarInfo(name)
    header.size, header.mtime, header.mode = size, mtime, 0o644
    return header


@contextmanager
def read_archive(path: Path, folder: Path) -> Iterator[tuple[ArchiveContent, OutputStore]]:
    """Yield what an archive holds and a store of its entries, made in `folder` for as long as it is used.

    Raises:
        ArchiveError: something in it is not as it should be.
        OSError: it cannot be read, or there is no room to unpack it.
    """
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as unpacked:
        staged = OutputStore(Path(unpacked))
        names = _unpack(path, staged.folder)
        keys = sorted({match["key"] for name in names if (match := _MEMBER.fullmatch(name))})
        for key in keys:
            _verify(key, staged)
        found = (match for name in names if (match := _STATE.fullmatch(name)))
        states = {(match["framework"], match["page"]): _state(match[0], staged, keys) for match in found}
        if not keys and not states:
            raise ArchiveError("there are no outputs in it")
        yield ArchiveContent(tuple(keys), states), staged


def _unpack(path: Path, folder: Path) -> set[str]:
    """Write the archive's members to their places in `folder`; return their names."""
    names: set[str] = set()
    with path.open("rb") as raw, gzip.GzipFile(fileobj=raw) as unzipped:
        archive = _checked(lambda: tarfile.TarFile.open(fileobj=unzipped, mode="r|"))
        while member := _checked(archive.next):
            name = member_place(member)
            if name is None:
                continue
            if name in names:
                raise ArchiveError(f"it has two members {name!r}")
            names.add(name)
            content = _checked(lambda: _content(archive, member))
            _place(folder / name, content)
        while _checked(lambda: unzipped.read(2**20)):  # to the end, where the checksum of the whole stands
            pass
    return names


def _place(target: Path, content: bytes) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    except OSError as error:
        if error.errno in _BAD_NAME:  # too long, or another member's folder
            raise ArchiveError(f"its member {target.name!r} cannot be a file: {error.strerror}") from error
        raise


def member_place(member: tarfile.TarInfo) -> str | None:
    """Return where a member belongs in a store; None for a folder.

    Raises:
        ArchiveError: a store has no place for it.
    """
    name = member.name.removeprefix("./")
    parts = name.split("/")
    if member.isdir() and _FOLDER.fullmatch(name) and not any(part.startswith("..") for part in parts):
        return None
    hidden = any(not part or part.startswith(".") or "\\" in part or "\0" in part for part in parts)
    if hidden or not (_MEMBER.fullmatch(name) or _STATE.fullmatch(name)):
        raise ArchiveError(f"it has a member {member.name!r}, which no store has")
    if not member.isreg() or member.size > LARGEST:
        raise ArchiveError(f"its member {member.name!r} is not an ordinary file, or too large")
    if hasattr(tarfile, "data_filter"):  # not in the first releases of Python 3.11
        _checked(lambda: tarfile.data_filter(member, "/nowhere"))
    return name


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    content = file.read() if file else b""
    if len(content) != member.size:
        raise EOFError("it ends too early")
    return content


def _checked(read: Callable[[], T]) -> T:
    """Return what `read` returns; whatever is wrong with the archive is one kind of error."""
    try:
        return read()
    except _BROKEN as error:
        raise ArchiveError(str(error) or type(error).__name__) from error


def _verify(key: str, staged: OutputStore) -> None:
    files = staged.files(key)
    try:
        if files is None:
            raise DamagedEntryError(key)
        foreign_record(key, files)
    except DamagedEntryError:
        raise ArchiveError(f"its entry {key[:12]} is damaged or incomplete") from None


def _state(name: str, staged: OutputStore, keys: list[str]) -> PageState:
    try:
        state = foreign_state((staged.folder / name).read_bytes())
    except ValueError as error:
        raise ArchiveError(f"its page state {name!r} is damaged: {error}") from error
    if state.key and state.key not in keys:
        raise ArchiveError(f"its page state {name!r} is of an entry that it does not have")
    return state
