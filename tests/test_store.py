"""The store of outputs: nothing half-written, nothing damaged, nothing lost."""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
import shutil
from pathlib import Path

import pytest

from tabbook.execute import store as store_module
from tabbook.execute.key import Key, parts_digest
from tabbook.execute.store import OutputStore, PageState, Record

PARTS = {"format": 1, "cells": ["x = 1", "print('あ', x)"], "python": "3.11"}
KEY = Key(parts_digest(PARTS), PARTS)
OUTPUT = {"output_type": "stream", "name": "stdout", "text": "あ 1\n\x1b\ud800"}
RECORD = Record((("x = 1", []), ("print('あ', x)", [OUTPUT])), {"date": "2026-11-23", "duration": 1.5})
FLIPS = 100


@pytest.fixture
def store(tmp_path: Path) -> OutputStore:
    return OutputStore(tmp_path / "store")


def files_of(store: OutputStore) -> list[Path]:
    return sorted(path for path in store.folder.rglob("*") if path.is_file())


def test_what_was_saved_is_loaded(store: OutputStore) -> None:
    store.save(KEY, RECORD)
    assert store.load(KEY.digest) == RECORD
    assert store.dropped == []


def test_an_unknown_key_has_nothing_and_is_no_damage(store: OutputStore) -> None:
    assert store.load("0" * 64) is None
    assert store.dropped == []


def test_a_readable_key_lies_beside_the_outputs(store: OutputStore) -> None:
    store.save(KEY, RECORD)
    entry = store.folder / KEY.digest[:2] / KEY.digest
    assert sorted(path.name for path in entry.iterdir()) == ["key.json", "outputs.json"]
    assert "print('あ', x)" in (entry / "key.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("position", range(FLIPS))
def test_every_flipped_byte_is_detected_dropped_and_named(store: OutputStore, position: int) -> None:
    """Whichever byte of an entry's files changes, the entry is not used; saving it again heals the store."""
    store.save(KEY, RECORD)
    files = files_of(store)
    chance = random.Random(position)
    file = files[position % len(files)]
    content = bytearray(file.read_bytes())
    content[chance.randrange(len(content))] ^= chance.randrange(1, 256)
    file.write_bytes(content)
    assert store.load(KEY.digest) is None
    assert store.dropped == [KEY.digest]
    assert files_of(store) == []
    store.save(KEY, RECORD)
    assert store.load(KEY.digest) == RECORD


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b'"x"', b"{}", b'{"record": {}, "checksum": ""}', b"\xff\xfe\x00"]
)
@pytest.mark.parametrize("name", ["outputs.json", "key.json"])
def test_a_replaced_file_is_damage_whatever_it_holds(store: OutputStore, name: str, content: bytes) -> None:
    store.save(KEY, RECORD)
    (store.folder / KEY.digest[:2] / KEY.digest / name).write_bytes(content)
    assert store.load(KEY.digest) is None
    assert store.dropped == [KEY.digest]


def test_an_entry_under_another_key_is_not_taken_for_it(store: OutputStore) -> None:
    """An entry that was copied to another name is damage, too."""
    store.save(KEY, RECORD)
    other = parts_digest({"other": True})
    shutil.copytree(store.folder / KEY.digest[:2] / KEY.digest, store.folder / other[:2] / other)
    assert store.load(other) is None
    assert store.dropped == [other]
    assert store.load(KEY.digest) == RECORD


@pytest.mark.parametrize("lost", ["outputs.json", "key.json"])
def test_an_entry_that_lost_a_file_is_made_again(store: OutputStore, lost: str) -> None:
    """A folder that is in the way of a new entry, but is no entry, gives way."""
    store.save(KEY, RECORD)
    (store.folder / KEY.digest[:2] / KEY.digest / lost).unlink()
    assert store.load(KEY.digest) is None
    store.save(KEY, RECORD)
    assert store.load(KEY.digest) == RECORD


def test_a_full_disk_leaves_no_damaged_entry(store: OutputStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the second file cannot be written, there is no entry, no rest of one, and the error is told."""
    calls = []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            store.save(KEY, RECORD)
    assert files_of(store) == []
    assert store.load(KEY.digest) is None
    assert store.dropped == []
    store.save(KEY, RECORD)
    assert store.load(KEY.digest) == RECORD


def test_an_exception_in_the_middle_of_writing_leaves_no_damaged_entry(
    store: OutputStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = store_module._write

    def interrupted(path: Path, content: object) -> None:
        write(path, content)
        path.write_bytes(path.read_bytes()[:20])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store_module, "_write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.save(KEY, RECORD)
        with pytest.raises(KeyboardInterrupt):
            store.note("jax", "chapter/page", PageState(KEY.digest))
    assert files_of(store) == []
    assert store.load(KEY.digest) is None
    assert store.state("jax", "chapter/page") == PageState()


def _save_often(folder: Path, start: object, word: str) -> None:
    start.wait()  # type: ignore[attr-defined]
    for _ in range(100):
        OutputStore(folder).save(KEY, Record((("x = 1", [{**OUTPUT, "text": word * 5000}]),)))


def test_two_processes_saving_one_key_at_once_leave_one_whole_entry(tmp_path: Path) -> None:
    """While two processes save under one key, a third reader never sees anything but a whole entry."""
    context = multiprocessing.get_context("fork")
    start = context.Event()
    writers = [context.Process(target=_save_often, args=(tmp_path / "store", start, word)) for word in "ab"]
    for writer in writers:
        writer.start()
    start.set()
    store = OutputStore(tmp_path / "store")
    seen = set()
    while any(writer.is_alive() for writer in writers):
        record = store.load(KEY.digest)
        seen.add(record.cells[0][1][0]["text"] if record else None)
    assert [writer.exitcode for writer in writers] == [0, 0]
    record = store.load(KEY.digest)
    assert record is not None
    assert seen - {None} == {record.cells[0][1][0]["text"]}, "the first to finish wins, and stays"
    assert store.dropped == []
    assert [path.name for path in files_of(store)] == ["key.json", "outputs.json"]


def test_read_only_entries_are_read_and_replaced_when_damaged(store: OutputStore) -> None:
    """A store whose files nobody may write still gives its outputs."""
    store.save(KEY, RECORD)
    for file in files_of(store):
        file.chmod(0o444)
    entry = store.folder / KEY.digest[:2] / KEY.digest
    entry.chmod(0o555)
    assert store.load(KEY.digest) == RECORD
    store.save(KEY, RECORD)
    assert store.load(KEY.digest) == RECORD
    (entry / "key.json").chmod(0o644)
    (entry / "key.json").write_text("{}")
    assert store.load(KEY.digest) is None
    store.save(KEY, RECORD)
    assert store.load(KEY.digest) == RECORD


def test_entries_can_be_read_by_others(store: OutputStore) -> None:
    """A store may be shared by several users: what one writes, the other can read."""
    mask = os.umask(0o022)
    try:
        store.save(KEY, RECORD)
        store.note("jax", "page", PageState(KEY.digest))
    finally:
        os.umask(mask)
    assert all(path.stat().st_mode & 0o004 for path in store.folder.rglob("*"))


def test_time_stamps_do_not_matter(store: OutputStore) -> None:
    store.save(KEY, RECORD)
    for file in files_of(store):
        os.utime(file, (0, 0))
    assert store.load(KEY.digest) == RECORD


def test_what_is_known_of_a_page_is_remembered(store: OutputStore) -> None:
    state = PageState(
        "k" * 64,
        2.5,
        "f" * 64,
        {"path": "docs/a.md", "line": 3, "code": "c", "severity": "error", "message": "m", "hint": "h"},
    )
    store.note("jax", "chapter/page", state)
    assert store.state("jax", "chapter/page") == state
    assert state.diagnostic is not None
    assert state.diagnostic.letter().startswith("docs/a.md:3: error: m [c]")
    assert store.state("pytorch", "chapter/page") == PageState()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"unknown": 1}', '{"seconds": "long"}', '{"seconds": null}', "5"])
def test_a_damaged_page_state_is_no_state(store: OutputStore, content: str) -> None:
    store.note("jax", "page", PageState("k"))
    (store.folder / "pages" / "jax" / "page.json").write_text(content)
    assert store.state("jax", "page") == PageState()
