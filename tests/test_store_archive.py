"""Archives of stored outputs: the same bytes for the same outputs, and nothing from a bad one."""

# Longer than 300 lines: a table of hostile inputs and faults for one subject, which reads best in one piece.

from __future__ import annotations

import gzip
import io
import json
import multiprocessing
import os
import random
import shutil
import tarfile
from dataclasses import asdict
from pathlib import Path

import pytest

from books_for_tests import TinyBook, cell, tiny_book
from tabbook.execute.archive import ArchiveError
from tabbook.execute.key import Key, parts_digest
from tabbook.execute.merge_stores import import_archive
from tabbook.execute.store import OutputStore, PageState, Record, entry_name

PAGES = {
    "index": f"# 本\n\n{cell('1', 'pytorch')}\n{cell('1', 'jax')}\n",
    "chapter/頁": f"# 頁\n\n{cell('2', 'pytorch')}\n{cell('3', 'jax')}\n",
}


def record(text: str, date: str = "2026-11-23T00:00:00+00:00") -> Record:
    output = {"output_type": "stream", "name": "stdout", "text": text}
    return Record((("x", [output]),), {"date": date, "duration": 1.5})


def save(store: OutputStore, text: str, date: str = "2026-11-23T00:00:00+00:00") -> str:
    """Keep outputs under a key that is made of their text alone, and return it."""
    key = Key(parts_digest({"cells": [text]}), {"cells": [text]})
    store.save(key, record(text, date))
    return key.digest


def fill(book: TinyBook) -> None:
    """Give the book's store the outputs of all its pages without running them."""
    for page in PAGES:
        for framework in ("pytorch", "jax"):
            key = book.key(page, framework)
            book.store.save(key, record(f"{page} {framework}"))
            book.store.note(framework, page, PageState(key.digest, 2.5))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> TinyBook:
    book = tiny_book(tmp_path_factory.mktemp("archive") / "book", PAGES)
    fill(book)
    return book


@pytest.fixture(scope="module")
def archive(made: TinyBook) -> Path:
    path = made.root / "outputs.tar.gz"
    made.tabbook("store", "export", str(path))
    return path


def content(folder: Path) -> dict[str, bytes]:
    """Return the files of a store by name."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def members(path: Path) -> list[tarfile.TarInfo]:
    with tarfile.open(path) as opened:
        return opened.getmembers()


def written(path: Path, *files: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as opened:
        for header, data in files:
            header.size = len(data)
            opened.addfile(header, io.BytesIO(data))
    return path


def files_of(store: OutputStore, key: str) -> list[tuple[tarfile.TarInfo, bytes]]:
    folder = store.folder / entry_name(key)
    return [(tarfile.TarInfo(f"{entry_name(key)}/{path.name}"), path.read_bytes()) for path in folder.iterdir()]


def state_file(state: PageState, name: str = "pages/jax/index.json") -> tuple[tarfile.TarInfo, bytes]:
    return tarfile.TarInfo(name), json.dumps(asdict(state)).encode()


# Export


def test_the_same_outputs_give_the_same_bytes(made: TinyBook, archive: Path, tmp_path: Path) -> None:
    """Neither the time, nor the folder, nor the order or owner of the files is in an archive."""
    copy = tmp_path / "elsewhere"
    for path in sorted((made.root / "_build" / "store").rglob("*"), reverse=True):
        if path.is_file():
            target = copy / path.relative_to(made.root / "_build" / "store")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            os.utime(target, (1, 1))
    made.tabbook("store", "export", str(tmp_path / "other.tgz"), "--store", str(copy))
    assert (tmp_path / "other.tgz").read_bytes() == archive.read_bytes()


def test_members_are_sorted_and_tell_nothing_of_their_maker(archive: Path) -> None:
    found = members(archive)
    names = [member.name for member in found]
    assert names == sorted(names)
    assert {(member.uid, member.gid, member.uname, member.gname, member.mtime) for member in found} == {
        (0, 0, "", "", 0)
    }
    assert archive.read_bytes()[4:8] == bytes(4), "no time in the compressed file's own header"


def test_members_have_the_time_of_source_date_epoch(made: TinyBook, tmp_path: Path) -> None:
    made.tabbook("store", "export", str(tmp_path / "a.tar.gz"), SOURCE_DATE_EPOCH="1700000000")
    assert {member.mtime for member in members(tmp_path / "a.tar.gz")} == {1700000000}
    made.tabbook("store", "export", str(tmp_path / "b.tar.gz"), status=2, SOURCE_DATE_EPOCH="today")


def test_only_what_the_pages_need_is_exported(made: TinyBook, archive: Path, tmp_path: Path) -> None:
    """Outputs of older code and of pages that are gone stay at home, and so does the letter of a failure."""
    book = tiny_book(tmp_path / "book", PAGES)
    fill(book)
    save(book.store, "of older code")
    book.store.note("jax", "gone", PageState(save(book.store, "of a page that is gone")))
    book.tabbook("store", "export", str(tmp_path / "all.tar.gz"))
    assert (tmp_path / "all.tar.gz").read_bytes() == archive.read_bytes()
    one = tmp_path / "one.tar.gz"
    assert "the outputs of 1 notebook " in book.tabbook("store", "export", str(one), "index", "--framework=jax").stdout
    key = book.key("index", "jax").digest
    assert [member.name for member in members(one)] == [
        f"{entry_name(key)}/key.json",
        f"{entry_name(key)}/outputs.json",
        "pages/jax/index.json",
    ]


def test_older_outputs_are_exported_where_there_are_no_newer_ones(made: TinyBook, tmp_path: Path) -> None:
    book = tiny_book(tmp_path / "book", PAGES)
    fill(book)
    old = book.key("index", "jax").digest
    book.edit("docs/index.md", "%%tab jax\n1\n", "%%tab jax\n1 / 0\n")
    failure = {"path": "/home/me/x", "line": 1, "code": "c", "severity": "error", "message": "m", "hint": ""}
    book.store.note("jax", "index", PageState(old, 2.5, book.key("index", "jax").digest, failure))
    done = book.tabbook("store", "export", str(tmp_path / "a.tar.gz"))
    assert "older outputs or none: 1" in done.stdout
    fresh = OutputStore(tmp_path / "fresh")
    import_archive(tmp_path / "a.tar.gz", fresh)
    assert fresh.load(old) is not None
    assert fresh.state("jax", "index") == PageState(old, 2.5, book.key("index", "jax").digest)


def test_wrong_use_of_export_is_told(made: TinyBook, tmp_path: Path) -> None:
    for name in ("index", str(tmp_path / "missing" / "a.tar.gz")):
        assert "hint:" in made.tabbook("store", "export", name, status=2).stderr
    empty = made.tabbook("store", "export", str(tmp_path / "a.tgz"), "--store", str(tmp_path / "none"), status=1)
    assert "no outputs" in empty.stderr
    assert list(tmp_path.iterdir()) == []


# Import


def test_an_import_gives_the_store_that_was_exported(made: TinyBook, archive: Path, tmp_path: Path) -> None:
    done = made.tabbook("store", "import", str(archive), "--store", str(tmp_path / "store"))
    assert "4 notebooks, 4 of them new; page states: 4 taken over" in done.stdout
    assert content(tmp_path / "store") == content(made.store.folder)
    again = made.tabbook("store", "import", str(archive), "--store", str(tmp_path / "store"))
    assert "4 notebooks, 0 of them new; page states: 0 taken over, 4 left" in again.stdout


def test_an_archive_that_tar_has_packed_anew_is_read(archive: Path, tmp_path: Path) -> None:
    """Names may begin with `./`, and folders may be members."""
    unpacked = tmp_path / "unpacked"
    with tarfile.open(archive) as opened:
        opened.extractall(unpacked, filter="data")
    with tarfile.open(tmp_path / "packed.tar.gz", "w:gz") as packed:
        packed.add(unpacked, ".")
    import_archive(tmp_path / "packed.tar.gz", OutputStore(tmp_path / "store"))
    assert content(tmp_path / "store") == content(unpacked)


def test_flipped_bytes_are_refused_or_change_nothing(made: TinyBook, archive: Path, tmp_path: Path) -> None:
    """Whichever byte of an archive is another: either nothing of it is taken in, or all is as it was exported."""
    good = archive.read_bytes()
    chance = random.Random(0)
    refused = 0
    for position in [*range(10), *chance.sample(range(10, len(good)), 60), len(good) - 1, len(good) - 5]:
        damaged = bytearray(good)
        damaged[position] ^= chance.randrange(1, 256)
        (tmp_path / "a.tar.gz").write_bytes(damaged)
        store = OutputStore(tmp_path / "store")
        try:
            import_archive(tmp_path / "a.tar.gz", store)
        except ArchiveError:
            refused += 1
            assert not store.folder.exists(), position
        else:
            assert content(store.folder) == content(made.store.folder), position
            shutil.rmtree(store.folder)
    assert refused >= 60


def test_truncated_archives_are_refused(archive: Path, tmp_path: Path) -> None:
    good = archive.read_bytes()
    store = OutputStore(tmp_path / "store")
    save(store, "was here before")
    before = content(store.folder)
    for length in [0, 1, 10, *range(100, len(good), 97), len(good) - 8, len(good) - 1]:
        (tmp_path / "a.tar.gz").write_bytes(good[:length])
        with pytest.raises(ArchiveError):
            import_archive(tmp_path / "a.tar.gz", store)
        assert content(store.folder) == before


def test_one_damaged_entry_refuses_the_whole_archive(made: TinyBook, archive: Path, tmp_path: Path) -> None:
    """The compressed file may be whole and an entry in it damaged, or without its other file."""
    key = made.key("index", "jax").digest
    whole = files_of(made.store, key)
    other = files_of(made.store, made.key("index", "pytorch").digest)
    for damaged in ([(whole[0][0], whole[0][1] + b" "), whole[1]], whole[:1], whole[1:]):
        path = written(tmp_path / "a.tar.gz", *other, *damaged)
        done = made.tabbook("store", "import", str(path), "--store", str(tmp_path / "store"), status=1)
        assert f"error: this archive is damaged, or none of a store: its entry {key[:12]} is" in done.stderr
        assert "hint: nothing of it was taken in" in done.stderr
        assert not (tmp_path / "store").exists()


def test_what_is_no_archive_is_told(made: TinyBook, tmp_path: Path) -> None:
    assert "no such file" in made.tabbook("store", "import", str(tmp_path / "none.tar.gz"), status=2).stderr
    (tmp_path / "text.tar.gz").write_text("これは文書である")
    assert "damaged" in made.tabbook("store", "import", str(tmp_path / "text.tar.gz"), status=1).stderr
    with gzip.open(tmp_path / "empty.tar.gz", "wb") as empty, tarfile.open(fileobj=empty, mode="w"):
        pass
    assert "no outputs in it" in made.tabbook("store", "import", str(tmp_path / "empty.tar.gz"), status=1).stderr


HOSTILE_NAMES = (
    "../evil",
    "/tmp/evil",
    "pages/../../evil.json",
    "pages/jax/../../../evil.json",
    "pages//jax/evil.json",
    "pages/jax/.new-evil.json",
    "pages/jax/a\\..\\evil.json",
    "pages/evil.json",
    "pages/jax/evil.py",
    f"ab/{'c' * 64}/key.json",
    f"ab/ab{'c' * 62}/../evil.json",
    f"ab/ab{'c' * 62}/evil.pkl",
    "evil.json",
    f"pages/jax/{'e' * 300}.json",
)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_members_with_hostile_names_are_refused(made: TinyBook, tmp_path: Path, name: str) -> None:
    """Whatever is no file of a store refuses the whole archive, and nothing is written outside."""
    key = made.key("index", "jax").digest
    path = written(tmp_path / "a.tar.gz", *files_of(made.store, key), (tarfile.TarInfo(name), b"{}"))
    with pytest.raises(ArchiveError, match=r"its member|it has a member"):
        import_archive(path, OutputStore(tmp_path / "stores" / "store"))
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == [path]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
@pytest.mark.parametrize("name", ["pages/jax/index.json", "pages"])
def test_links_and_devices_are_refused(made: TinyBook, tmp_path: Path, kind: bytes, name: str) -> None:
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, "/etc/passwd"
    path = written(tmp_path / "a.tar.gz", *files_of(made.store, made.key("index", "jax").digest), (header, b""))
    with pytest.raises(ArchiveError, match="member"):
        import_archive(path, OutputStore(tmp_path / "store"))
    assert not (tmp_path / "store").exists()


def test_a_member_that_stands_twice_or_in_anothers_way_is_refused(made: TinyBook, tmp_path: Path) -> None:
    state = PageState(made.key("index", "jax").digest)
    entry = files_of(made.store, state.key)
    for second in ("pages/jax/index.json", "pages/jax/index.json/more.json"):
        path = written(tmp_path / "a.tar.gz", *entry, state_file(state), state_file(state, second))
        with pytest.raises(ArchiveError):
            import_archive(path, OutputStore(tmp_path / "store"))
        assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "written_state",
    [
        b"{",
        b"[]",
        b"[" * 100_000,
        b"\xff",
        b'{"key": "../../../etc"}',
        b'{"key": 5}',
        b'{"seconds": NaN}',
        b'{"seconds": -1}',
        b'{"evil": 1}',
        json.dumps({"key": "f" * 64}).encode(),
    ],
)
def test_hostile_page_states_are_refused(made: TinyBook, tmp_path: Path, written_state: bytes) -> None:
    """A state must be one that a store writes, and its key must be in the archive."""
    entry = files_of(made.store, made.key("index", "jax").digest)
    path = written(tmp_path / "a.tar.gz", *entry, (tarfile.TarInfo("pages/jax/index.json"), written_state))
    with pytest.raises(ArchiveError, match="page state"):
        import_archive(path, OutputStore(tmp_path / "store"))
    assert not (tmp_path / "store").exists()


# Merging


@pytest.fixture
def stores(tmp_path: Path) -> tuple[OutputStore, OutputStore]:
    return OutputStore(tmp_path / "ours"), OutputStore(tmp_path / "theirs")


def taken(ours: OutputStore, theirs: OutputStore, key: str, state: PageState) -> PageState:
    path = written(theirs.folder.parent / "a.tar.gz", *files_of(theirs, key), state_file(state))
    import_archive(path, ours)
    return ours.state("jax", "index")


@pytest.mark.parametrize(("their_date", "wins"), [("2026-11-22", False), ("2026-11-23", False), ("2026-11-24", True)])
def test_the_newer_of_two_results_stays(stores: tuple[OutputStore, OutputStore], their_date: str, wins: bool) -> None:
    """Of two results the newer one is the page's, the local one where they are of the same time; both are kept."""
    ours, theirs = stores
    mine = PageState(save(ours, "ours"), 1.0)
    ours.note("jax", "index", mine)
    other = PageState(save(theirs, "theirs", f"{their_date}T00:00:00+00:00"), 2.0)
    assert taken(ours, theirs, other.key, other) == (other if wins else mine)
    assert ours.load(mine.key) is not None
    assert ours.load(other.key) is not None


def test_a_result_replaces_one_whose_outputs_are_gone(stores: tuple[OutputStore, OutputStore]) -> None:
    ours, theirs = stores
    ours.note("jax", "index", PageState("a" * 64, 1.0))
    other = PageState(save(theirs, "theirs"), 2.0)
    assert taken(ours, theirs, other.key, other) == other


def test_our_own_failure_stays_until_its_code_has_run_elsewhere(stores: tuple[OutputStore, OutputStore]) -> None:
    ours, theirs = stores
    key = save(theirs, "theirs")
    failure = {"path": "a.md", "line": 1, "code": "c", "severity": "error", "message": "m", "hint": ""}
    ours.note("jax", "index", PageState(failed_key="f" * 64, failure=failure))
    assert taken(ours, theirs, key, PageState(key, 2.0)) == PageState(key, 2.0, "f" * 64, failure)
    ours.note("jax", "index", PageState(failed_key=key, failure=failure))
    assert taken(ours, theirs, key, PageState(key, 2.0)) == PageState(key, 2.0)


def test_a_damaged_entry_here_is_mended_by_an_import(stores: tuple[OutputStore, OutputStore]) -> None:
    ours, theirs = stores
    key = save(theirs, "theirs")
    save(ours, "theirs")
    (ours.folder / entry_name(key) / "outputs.json").write_text("{}")
    taken(ours, theirs, key, PageState(key))
    assert ours.load(key) == theirs.load(key)


def _import_often(archive: Path, folder: Path, start: object) -> None:
    start.wait()  # type: ignore[attr-defined]
    for _ in range(15):
        import_archive(archive, OutputStore(folder))


def test_two_imports_at_once_do_no_damage(made: TinyBook, archive: Path, tmp_path: Path) -> None:
    """Two machines' archives, read in at the same time again and again: the newer page state wins in the end."""
    newer = OutputStore(tmp_path / "newer")
    state = PageState(save(newer, "newer", "2026-12-01T00:00:00+00:00"), 9.0)
    second = written(tmp_path / "b.tar.gz", *files_of(newer, state.key), state_file(state))
    context = multiprocessing.get_context("fork")
    start = context.Event()
    store = tmp_path / "store"
    readers = [context.Process(target=_import_often, args=(path, store, start)) for path in (archive, second) * 2]
    for reader in readers:
        reader.start()
    start.set()
    for reader in readers:
        reader.join()
    assert [reader.exitcode for reader in readers] == [0, 0, 0, 0]
    merged = OutputStore(store)
    assert merged.state("jax", "index") == state
    assert {key for key, _ in merged.entries()} == {state.key, *(key for key, _ in made.store.entries())}
    assert all(merged.load(key) for key, _ in merged.entries())
    assert not list(store.rglob(".*")), "nothing half-done is left"
