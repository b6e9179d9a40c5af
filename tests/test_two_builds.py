"""Builds at the same time on one store: no notebook is executed twice, and all of them render."""

from __future__ import annotations

import re
from pathlib import Path

from books_for_tests import TinyBook, cell, executed, outputs, tiny_book

PAGES = [f"p{number}" for number in range(5)]


def counting_book(root: Path, log: Path) -> TinyBook:
    """Make a book of ten notebooks; each says in a file that its cells have run."""
    pages = {
        page: f"# {page}\n\n"
        + "".join(cell(f"page, tab = {page!r}, {tab!r}", tab) for tab in ("pytorch", "jax"))
        + cell(f"import time; _ = open({str(log)!r}, 'a').write(f'{{page}} {{tab}}\\n')")
        + cell("time.sleep(0.1); print(page, tab)")
        for page in PAGES
    }
    return tiny_book(root, {"index": "# x\n", **pages})


def test_three_builds_at_once_execute_each_notebook_once(tmp_path: Path) -> None:
    """Builds in clones of the book share a store: each notebook runs once, in any of them, and all show all outputs."""
    log = tmp_path / "log"
    clones = [counting_book(tmp_path / f"clone{number}", log) for number in range(3)]
    store = clones[0].store
    running = [clone.start("html", "--store", str(store.folder)) for clone in clones]
    done = [build.wait() for build in running]
    said = [build.stderr for build in done]
    assert [build.returncode for build in done] == [0, 0, 0], said
    assert sorted(log.read_text().splitlines()) == sorted(
        f"{page} {tab}" for page in PAGES for tab in ("jax", "pytorch")
    )
    counts = [
        re.search(r"^executed (\d+) notebooks? \(\d+ cells\), reused (\d+), failed 0", text, re.M) for text in said
    ]
    assert all(counts), said
    assert sum(int(count[1]) for count in counts if count) == 2 * len(PAGES)
    assert all(int(count[1]) + int(count[2]) == 2 * len(PAGES) for count in counts if count), said
    for clone in clones:
        for page in PAGES:
            assert f"{page} pytorch" in clone.html(page)
            assert f"{page} jax" in clone.html(page)
    assert all(store.load(key) for key, _ in store.entries())
    assert store.dropped == []
    assert [path for path in store.folder.rglob("*") if path.name.startswith(".") or path.parent.name == "claims"] == []
    again = clones[0].tabbook("execute", "--store", str(store.folder)).stderr
    assert again == f"executed 0 notebooks (0 cells), reused {2 * len(PAGES)}, failed 0\n"


def test_two_builds_at_once_of_one_book(tmp_path: Path) -> None:
    """Even in the same folders two builds end well, and leave the site as one build does."""
    book = counting_book(tmp_path / "book", tmp_path / "log")
    running = [book.start("html") for _ in range(2)]
    done = [build.wait() for build in running]
    assert [build.returncode for build in done] == [0, 0], "\n\n".join(build.stderr for build in done)
    assert len((tmp_path / "log").read_text().splitlines()) == 2 * len(PAGES)
    for page in PAGES:
        assert f"{page} pytorch" in book.html(page)


def test_two_pages_with_the_same_code_are_executed_once(tmp_path: Path) -> None:
    """The second page waits for the first one's outputs, and has them as its own."""
    log = tmp_path / "log"
    code = cell(f"import time; time.sleep(0.5); open({str(log)!r}, 'a').write('x'); print('made')", "jax")
    book = tiny_book(tmp_path / "book", {"index": "# x\n", "one": f"# 1\n\n{code}", "two": f"# 2\n\n{code}"})
    done = book.tabbook("execute")
    assert log.read_text() == "x"
    assert "executed 1 notebook (1 cell), reused 1, failed 0;" in done.stderr
    assert executed(done.stderr) == ["one · JAX", "two · JAX"]
    assert "the same code was executed meanwhile; reused" in done.stderr
    assert outputs(book, "one", "jax") == outputs(book, "two", "jax") == ["made\n"]
    assert {book.store.state("jax", page).key for page in ("one", "two")} == {book.key("one", "jax").digest}
