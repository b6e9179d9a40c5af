"""`tabbook status`: a line a notebook, in columns, the same on a terminal and in a log."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from books_for_tests import TinyBook, cell, tiny_book
from tabbook.__main__ import main
from tabbook.execute.store import PageState, Record


@pytest.fixture
def book(tmp_path: Path) -> TinyBook:
    """A book with a notebook in each of the four states."""
    pages = {name: f"# {name}\n\n" + cell(f"'{name}'", "jax") for name in ("chapter/failed", "fresh", "never", "stale")}
    book = tiny_book(tmp_path / "book", {"index": "# 本\n", **pages})
    for page, day in (("fresh", "2026-11-03"), ("stale", "2026-10-31"), ("chapter/failed", "2026-09-01")):
        key = book.key(page, "jax")
        origin = {"date": f"{day}T23:59:59+00:00", "duration": 7.0}
        book.store.save(key, Record(((key.parts["cells"][0], []),), origin))
        book.store.note("jax", page, PageState(key=key.digest, seconds=12.25 if page == "stale" else 0.0))
    book.edit("docs/stale.md", "'stale'", "'changed'")
    book.edit("docs/chapter/failed.md", "'chapter/failed'", "1 / 0")
    failure = {"path": "docs/chapter/failed.md", "line": 5, "code": "cell-failed", "severity": "error", "message": "x"}
    state = replace(book.store.state("jax", "chapter/failed"), seconds=0.5, failure=failure)
    book.store.note("jax", "chapter/failed", replace(state, failed_key=book.key("chapter/failed", "jax").digest))
    return book


TABLE = """\
page            framework  state   seconds  last good run
chapter/failed  jax        failed      0.5  2026-09-01     failed at docs/chapter/failed.md:5
fresh           jax        fresh       7.0  2026-11-03
never           jax        never         –  –
stale           jax        stale      12.2  2026-10-31
4 notebooks: 1 fresh, 1 stale, 1 failed, 1 never
"""


def test_the_table(book: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    """State, last duration (else that of the outputs), date of the last good run, place of a failure."""
    assert main(["status", "--project", str(book.root)]) == 0
    assert capsys.readouterr().out == TABLE


def test_a_terminal_shows_the_same_text(book: TinyBook) -> None:
    mine, terminal = pty.openpty()
    command = [sys.executable, "-m", "tabbook", "status", "--project", str(book.root)]
    subprocess.run(command, check=True, stdout=terminal, timeout=60)
    os.close(terminal)
    with os.fdopen(mine, "rb", buffering=0) as shown:
        assert shown.read(65536).decode().replace("\r\n", "\n") == TABLE


def test_json_has_the_same_and_the_keys(book: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "fresh", "never", "--format", "json", "--project", str(book.root)]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {
            "page": "fresh",
            "framework": "jax",
            "state": "fresh",
            "seconds": 7.0,
            "date": "2026-11-03T23:59:59+00:00",
            "key": book.key("fresh", "jax").digest,
            "failure": "",
        },
        {"page": "never", "framework": "jax", "state": "never", "seconds": None, "date": "", "key": "", "failure": ""},
    ]


def test_a_book_without_code_says_so(book: TinyBook, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "index", "--project", str(book.root)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "no page has code that is executed"
