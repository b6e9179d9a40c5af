"""What an execution depends on: whatever changes outputs changes the key, and nothing else does."""

# ruff: noqa: E501 - in the tables of cases a case is a line

from __future__ import annotations

import os
from pathlib import Path

import pytest

from books_for_tests import CONFIG, PAGE, TinyBook, cell, tiny_book
from conftest import REPOSITORY
from tabbook import pins
from tabbook.config import load_config
from tabbook.execute.key import library_digest

LIBRARY = "src/d2l"


@pytest.fixture
def book(tmp_path: Path) -> TinyBook:
    """A book with a companion library, a module a framework and a shared one, and a data file."""
    book = tiny_book(tmp_path / "book", config=f"{CONFIG}module = flax\n\n[tabbook]\ndata = data/*.csv\n")
    for name in ("pytorch", "flax", "shared", "__init__"):
        path = book.root / LIBRARY / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"name = '{name}'\n")
    (book.root / "data").mkdir()
    (book.root / "data" / "a.csv").write_text("1,2\n")
    return book


def keys(book: TinyBook, page: str = "index") -> tuple[str, str]:
    return book.key(page, "pytorch").digest, book.key(page, "jax").digest


BOTH, PYTORCH, JAX, NONE = (True, True), (True, False), (False, True), (False, False)

CHANGES = {
    "code of both": ("docs/index.md", "6 * 7", "6 * 8", BOTH),
    "code of one": ("docs/index.md", "framework = 'jax'", "framework = 'JAX'", JAX),
    "a comment in code, which a cell may print": ("docs/index.md", "6 * 7", "6 * 7  # 42", BOTH),
    "a cell's language": ("docs/index.md", "```{.python .input}\n%%tab all\n6", "```{.bash .input}\n%%tab all\n6", BOTH),
    "a pinned version": ("requirements/jax.txt", "1.17.0", "1.16.0", JAX),
    "the framework's own module of the library": (f"{LIBRARY}/pytorch.py", "name", "title", PYTORCH),
    "the framework's own module under another name": (f"{LIBRARY}/flax.py", "name", "title", JAX),
    "a module that both share": (f"{LIBRARY}/shared.py", "name", "title", BOTH),
    "the library's package": (f"{LIBRARY}/__init__.py", "name", "title", BOTH),
    "a data file": ("data/a.csv", "1,2", "1,3", BOTH),
    "the seed": ("config.ini", "[tabbook]", "[tabbook]\nseed = 1", BOTH),
    "the code that sets the seed": ("config.ini", "noise_made_by_seed = 1", "noise_made_by_seed = 2", PYTORCH),
    "a kernel's variables": ("config.ini", "module = flax", "module = flax\nenviron = A=1", JAX),
    "prose": ("docs/index.md", "同じ文である", "同じ文だ", NONE),
    "prose of one framework": ("docs/index.md", "JAXだけの文", "JAXの文", NONE),
    "the page's title": ("docs/index.md", "# 小さなページ", "# ページ", NONE),
    "a label": ("docs/index.md", "sec_tiny", "sec_small", NONE),
    "more lines above the code": ("docs/index.md", "# 小さなページ", "\n\n# 小さなページ", NONE),
    "another framework named in a mark": ("docs/index.md", "%%tab jax", "%%tab jax, mxnet", NONE),
    "the other way to write a mark": ("docs/index.md", "%%tab jax", "# @tab jax", NONE),
    "cell attributes": ("docs/index.md", "```{.python .input}\n%%tab jax", "```{.python .input  n=3}\n%%tab jax", NONE),
    "a comment in config.ini": ("config.ini", "[project]", "# a comment\n[project]", NONE),
    "the book's title": ("config.ini", "小さな本", "本", NONE),
    "the book's language": ("config.ini", "lang = ja", "lang = en", NONE),
    "how long a cell may take": ("config.ini", "[tabbook]", "[tabbook]\ncell_timeout = 5", NONE),
    "what output is noise": ("config.ini", "module = flax", "module = flax\nnoise = ^INFO", NONE),
    "a comment in requirements": ("requirements/jax.txt", "six", "# why\nsix", NONE),
    "an empty line in requirements": ("requirements/jax.txt", "six", "\nsix", NONE),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_a_key(book: TinyBook, change: str) -> None:
    """A change reaches the keys of the frameworks that it can change the outputs of, and no other."""
    name, old, new, expected = CHANGES[change]
    before = keys(book)
    book.edit(name, old, new)
    assert tuple(a != b for a, b in zip(before, keys(book), strict=True)) == expected


def test_the_order_of_cells_counts(tmp_path: Path) -> None:
    book = tiny_book(
        tmp_path / "book", {"index": cell("a = 1") + cell("a = 2"), "other": cell("a = 2") + cell("a = 1")}
    )
    marks = {"index": "%%tab pytorch, jax", "other": "%%tab pytorch, jax"}
    for page, mark in marks.items():
        text = (book.root / "docs" / f"{page}.md").read_text().replace("%%tab all", mark)
        book.write(page, text)
    assert keys(book, "index") != keys(book, "other")


def test_where_one_cell_ends_and_the_next_begins_counts(tmp_path: Path) -> None:
    one, two = cell("1\n2", "jax"), cell("1", "jax") + cell("2", "jax")
    book = tiny_book(tmp_path / "book", {"index": one, "other": two})
    assert book.key("index", "jax") != book.key("other", "jax")


def test_a_renamed_page_keeps_its_key(book: TinyBook) -> None:
    book.write("chapter/other", PAGE)
    assert keys(book, "chapter/other") == keys(book)


def test_time_stamps_do_not_count(book: TinyBook) -> None:
    before = keys(book)
    for path in book.root.rglob("*"):
        if path.is_file() and not path.is_relative_to(book.root / "_build"):
            os.utime(path, (1, 1))
    assert keys(book) == before


def test_the_version_of_python_counts(book: TinyBook, monkeypatch: pytest.MonkeyPatch) -> None:
    before = keys(book)

    class Version:
        version_info = type("Info", (), {"major": 3, "minor": 99})

    monkeypatch.setattr(pins, "sys", Version)
    assert all(a != b for a, b in zip(before, keys(book), strict=True))


def test_a_new_file_of_library_or_data_counts(book: TinyBook) -> None:
    first = keys(book)
    (book.root / LIBRARY / "more.py").write_text("")
    second = keys(book)
    (book.root / "data" / "b.csv").write_text("")
    third = keys(book)
    assert len({*first, *second, *third}) == 6


def test_data_moved_from_one_file_to_the_next_counts(book: TinyBook) -> None:
    """The key knows where each file ends: the same bytes in other files are other data."""
    (book.root / "data" / "a.csv").write_text("ab")
    (book.root / "data" / "b.csv").write_text("c")
    before = keys(book)
    (book.root / "data" / "a.csv").write_text("a")
    (book.root / "data" / "b.csv").write_text("bc")
    assert set(before).isdisjoint(keys(book))


def test_a_key_says_what_it_was_made_from(book: TinyBook) -> None:
    parts = book.key("index", "pytorch").parts
    assert parts["cells"] == ["framework = 'torch'", "print('from', framework)", "6 * 7"]
    assert parts["seed"].startswith("import random; random.seed(0)")
    assert parts["python"] == "3.11"


def test_in_this_book_each_framework_has_its_own_part_of_the_library(tmp_path: Path) -> None:
    """Changing one framework's module of src/d2l changes that framework's digest alone, torch's included."""
    copy = tmp_path / "book"
    (copy / "docs").mkdir(parents=True)
    (copy / "docs" / "index.md").write_text("# x\n")
    (copy / "config.ini").write_bytes((REPOSITORY / "config.ini").read_bytes())
    (copy / LIBRARY).mkdir(parents=True)
    for file in (REPOSITORY / LIBRARY).glob("*.py"):
        (copy / LIBRARY / file.name).write_bytes(file.read_bytes())
    config = load_config(copy)
    before = {tab: library_digest(config, tab) for tab in config.tabs}
    changed = {}
    for module in ("torch", "mxnet", "jax", "tensorflow"):
        path = copy / LIBRARY / f"{module}.py"
        kept = path.read_bytes()
        path.write_bytes(kept + b"\n# changed\n")
        changed[module] = [tab for tab in config.tabs if library_digest(config, tab) != before[tab]]
        path.write_bytes(kept)
    assert changed == {"torch": ["pytorch"], "mxnet": ["mxnet"], "jax": ["jax"], "tensorflow": ["tensorflow"]}
