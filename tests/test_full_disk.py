"""A disk that is really full: a letter that says where, nothing damaged, nothing lost, and then it goes on."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from books_for_tests import TinyBook, cell, executed, tiny_book
from tabbook.execute.store import OutputStore

PAGES = [f"p{number}" for number in range(6)]
NO_ROOM = "No space left on device\n    hint: make room there, then run the command again; what was finished is kept"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 160 kB; skip by name where none may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = _mount("size=160k", "tmpfs", str(folder))
    if done.returncode:
        hint = "run the tests as root, or below `unshare --map-root-user --mount`"
        pytest.skip(f"a small disk cannot be mounted here ({done.stderr.strip()}); {hint}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def _mount(options: str, *names: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["mount", "-t", "tmpfs", "-o", options, *names], check=False, capture_output=True, text=True)


def make_room(disk: Path) -> None:
    done = _mount("remount,size=32m", str(disk))
    assert done.returncode == 0, done.stderr


def book_in(folder: Path) -> TinyBook:
    """Make a book whose six notebooks print 30 kB each, more than the disk can hold."""
    pages = {page: f"# {page}\n\n" + cell(f"print('{page} number one\\n' * 1_800)", "jax") for page in PAGES}
    return tiny_book(folder / "book", {"index": "# x\n", **pages})


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_full_store(tmp_path: Path, disk: Path) -> None:
    """What was finished before stays as it is and is not run again; there is no rest of what could not be written."""
    book, store = book_in(tmp_path), OutputStore(disk / "store")
    first = book.tabbook("execute", "--store", str(store.folder), status=1).stderr
    done = executed(first)
    assert 1 <= len(done) < len(PAGES)
    assert first.endswith(f"{store.folder}: there is no room for outputs: {NO_ROOM}\n"), first
    kept = files(store.folder)
    assert not any(re.search(r"\.(new|old)-", name) for name in kept)
    assert len(list(store.entries())) == len(done)
    assert all(store.load(key) for key, _ in store.entries())
    again = book.tabbook("execute", "--store", str(store.folder), status=1).stderr
    assert again == f"{store.folder}: there is no room for outputs: {NO_ROOM}\n"
    assert (files(store.folder) == kept) is True
    book.tabbook("html", "--execute", "never", "--store", str(store.folder))
    shown = [page for page in PAGES if book.html(page).count(f"{page} number one") > 1]
    assert shown == sorted(name.split()[0] for name in done), "earlier results can be read"
    make_room(disk)
    last = book.tabbook("execute", "--store", str(store.folder)).stderr
    assert sorted(executed(last) + done) == [f"{page} · JAX" for page in PAGES]
    assert f"reused {len(done)}, failed 0" in last


def test_a_full_output_folder(tmp_path: Path, disk: Path) -> None:
    """A site that could not be written to its end is written anew: no page and no style sheet stays cut off."""
    book = tiny_book(tmp_path / "book")
    build = book.root / "_build"
    book.tabbook("html")
    shutil.copytree(build / "html", tmp_path / "whole")
    for name in ("html", "doctrees"):
        shutil.rmtree(build / name)
        (disk / name).mkdir()
        (build / name).symlink_to(disk / name)
    said = book.tabbook("html", status=1).stderr
    assert said.endswith(f"{build}: there is no room for the site: {NO_ROOM}\n")
    make_room(disk)
    book.tabbook("html")
    written, whole = files(build / "html"), files(tmp_path / "whole")
    assert [name for name in whole.keys() | written.keys() if written.get(name) != whole.get(name)] == []


def test_a_full_folder_for_temporary_files(tmp_path: Path, disk: Path) -> None:
    """Where notebooks have no room to run in, the letter blames the disk, not the author's cells."""
    book = book_in(tmp_path)
    (disk / "fill").write_bytes(b"x" * (160 - 4) * 1024)
    said = book.tabbook("execute", status=1, TMPDIR=str(disk)).stderr
    assert re.fullmatch(rf"{disk}/tb-\w+: there is no room for a notebook to run in: {NO_ROOM}\n", said), said
    (disk / "fill").unlink()
    assert "failed 0" in book.tabbook("execute", TMPDIR=str(disk)).stderr
