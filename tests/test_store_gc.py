"""Collecting what no page needs: never anything that one does."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from books_for_tests import TinyBook, tiny_book
from tabbook.errors import BookError
from tabbook.execute.claims import take_claim
from tabbook.execute.collect import collect, parse_size
from tabbook.execute.store import OutputStore, PageState, entry_name
from test_store_archive import PAGES, fill, save


@pytest.fixture
def store(tmp_path: Path) -> OutputStore:
    return OutputStore(tmp_path / "store")


def aged(store: OutputStore, text: str, hours: float) -> str:
    """Keep outputs that were made some hours ago, and return their key."""
    key = save(store, text)
    moment = time.time() - hours * 3600
    os.utime(store.folder / entry_name(key), (moment, moment))
    return key


def keys(store: OutputStore) -> set[str]:
    return {key for key, _ in store.entries()}


def test_what_no_page_needs_goes(tmp_path: Path) -> None:
    """Outputs of the current code stay even where no state names them; outputs that a state names stay as well."""
    book = tiny_book(tmp_path / "book", PAGES)
    fill(book)
    needed = keys(book.store)
    (book.store.folder / "pages" / "jax" / "index.json").unlink()
    book.store.note("jax", "gone", PageState(aged(book.store, "of another branch", 5)))
    needed |= {book.store.state("jax", "gone").key}
    aged(book.store, "of older code", 5)
    assert book.tabbook("store", "gc", "--dry-run").stdout.startswith("would free 1 entry (")
    assert len(keys(book.store)) == len(needed) + 1
    assert book.tabbook("store", "gc").stdout.startswith("freed 1 entry (")
    assert keys(book.store) == needed
    assert book.tabbook("store", "gc").stdout.startswith("freed 0 entries (0 B) and 0 leftovers (0 B); 5 entries (")
    assert "never " not in book.tabbook("status").stdout


def test_a_size_limit_takes_the_oldest_first_and_only_as_many_as_needed(store: OutputStore) -> None:
    made = [aged(store, f"text {number}", hours) for number, hours in enumerate((3, 9, 6, 1))]
    size = sum(path.stat().st_size for path in (store.folder / entry_name(made[0])).iterdir())
    assert collect(store, set(), 10 * size, dry_run=False).entries == 0
    done = collect(store, set(), 2 * size, dry_run=False)
    assert (done.entries, done.stay, done.stay_size) == (2, 2, 2 * size)
    assert keys(store) == {made[0], made[3]}
    done = collect(store, {made[0]}, 0, dry_run=False)
    assert keys(store) == {made[0]}
    assert done.stay_size == size


def test_what_the_pages_need_stays_whatever_the_limit(tmp_path: Path) -> None:
    book = tiny_book(tmp_path / "book", PAGES)
    fill(book)
    done = book.tabbook("store", "gc", "--max-size", "1K")
    assert "what the pages need is larger than 1.0 KiB; it stays" in done.stderr
    assert len(keys(book.store)) == 4


def test_leftovers_of_interrupted_writes_go_after_an_hour(store: OutputStore) -> None:
    """A write that may still be under way is left alone."""
    key = aged(store, "text", 5)
    places = [store.folder, store.folder / key[:2], store.folder / "pages" / "jax" / "chapter"]
    places[-1].mkdir(parents=True)
    for place in places:
        for age in (0, 7200):
            for prefix in (".new-", ".old-"):
                leftover = place / f"{prefix}{age}"
                leftover.mkdir()
                (leftover / "outputs.json").write_text("{")
                os.utime(leftover, (time.time() - age,) * 2)
            file = place / f".new-file-{age}"
            file.write_text("{")
            os.utime(file, (time.time() - age,) * 2)
    assert collect(store, {key}, None, dry_run=True).leftovers == 9
    done = collect(store, {key}, None, dry_run=False)
    assert (done.entries, done.leftovers, done.leftovers_size) == (0, 9, 9)
    left = {path.name for place in places for path in place.glob(".*")}
    assert left == {".new-0", ".old-0", ".new-file-0"}
    assert store.load(key) is not None


def test_claims_of_killed_builds_go_after_an_hour(store: OutputStore) -> None:
    """A claim that a build holds stays, however long its notebook takes; and so does one that is young."""
    folder = store.folder / "claims"
    held, abandoned, young = ("a" * 64, "b" * 64, "c" * 64)
    claim = take_claim(store.folder, held)
    assert claim is not None
    for name in (abandoned, young):
        (folder / name).touch()
    for name in (held, abandoned):
        os.utime(folder / name, (time.time() - 7200,) * 2)
    assert collect(store, set(), None, dry_run=True).leftovers == 1
    assert collect(store, set(), None, dry_run=False).leftovers == 1
    assert sorted(path.name for path in folder.iterdir()) == [held, young]
    assert take_claim(store.folder, held) is None, "it is still held"
    claim.release()
    assert [path.name for path in folder.iterdir()] == [young]


def test_a_build_that_has_just_stored_outputs_keeps_them(store: OutputStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between storing outputs and noting whose they are, a build may be overtaken by a collection."""
    new, old = save(store, "new"), aged(store, "old", 5)
    monkeypatch.setattr(time, "sleep", lambda _: store.note("jax", "page", PageState(new)))
    assert collect(store, set(), None, dry_run=False).entries == 1
    assert keys(store) == {new}
    assert store.load(old) is None


def test_files_that_are_not_the_stores_are_left_alone(store: OutputStore) -> None:
    aged(store, "text", 5)
    for name in ("notes.txt", "ab/notes.txt", "ab/short/key.json", f"ab/{'c' * 64}/key.json"):
        (store.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (store.folder / name).write_text("mine")
    assert collect(store, set(), None, dry_run=False).entries == 1
    assert len([path for path in store.folder.rglob("*") if path.is_file()]) == 4


@pytest.mark.parametrize("text", ["", "big", "-1", "5X", "1e3", "M"])
def test_a_size_that_is_none_is_told(text: str) -> None:
    with pytest.raises(BookError, match="not a size"):
        parse_size(text)


def test_sizes() -> None:
    assert [parse_size(text) for text in ("0", "500M", "1.5k", "2 GiB")] == [0, 500 * 2**20, 1536, 2**31]


def test_a_book_without_a_store_has_nothing_to_collect(tmp_path: Path) -> None:
    book: TinyBook = tiny_book(tmp_path / "book", PAGES)
    assert book.tabbook("store", "gc").stdout.startswith("freed 0 entries")
    assert not book.store.folder.exists()
