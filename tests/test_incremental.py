"""What a second build does: as little as possible, and always the right page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from books_for_tests import CONFIG, PAGE, TinyBook, tiny_book
from tabbook.sphinx_ext.settings import sphinx_settings

LIBRARY = "src/d2l"
CONF = """\
from pathlib import Path

from tabbook.sphinx_ext.settings import sphinx_settings

globals().update(sphinx_settings(Path(__file__).parent))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> TinyBook:
    """A book of two pages that was built once; each test takes a copy of it."""
    pages = {
        "index": PAGE,
        "other": PAGE.replace("sec_tiny", "sec_other").replace("小さな", "次の").replace("6 * 7", "7 * 6"),
    }
    book = tiny_book(tmp_path_factory.mktemp("built") / "book", pages, CONFIG + "\n[tabbook]\n")
    (book.root / LIBRARY).mkdir(parents=True)
    for name in ("pytorch", "jax", "shared"):
        (book.root / LIBRARY / f"{name}.py").write_text(f"name = '{name}'\n")
    first = book.tabbook("html")
    assert "executed 4 notebooks (12 cells), reused 0, failed 0;" in first.stderr
    assert shown(book, "jax") == ["from jax", "42"]
    return book


@pytest.fixture
def book(built: TinyBook, tmp_path: Path) -> TinyBook:
    """The built book at another place, as a restored cache is: the same content, all time stamps kept."""
    shutil.copytree(built.root, tmp_path / "book", symlinks=True)
    return TinyBook(tmp_path / "book")


def shown(book: TinyBook, framework: str, page: str = "index") -> list[str]:
    """Return the outputs that a framework's reader sees, in order."""
    from bs4 import BeautifulSoup  # noqa: PLC0415

    soup = BeautifulSoup(book.html(page), "html.parser")
    for panel in soup.select(f'.framework-panel:not([data-framework~="{framework}"])'):
        panel.decompose()
    return [output.get_text().strip() for output in soup.select(".cell_output")]


def build(book: TinyBook) -> list[str]:
    """Build the site and return the notebooks that were executed, sorted."""
    said = book.tabbook("html").stderr
    names = sorted(re.findall(r"^\[\d+/\d+\] (.*?): ", said, re.MULTILINE))
    assert f"executed {len(names)} notebook" in said
    assert "failed 0" in said
    return names


def test_a_second_build_executes_nothing_and_writes_nothing(book: TinyBook) -> None:
    build(book)
    before = {path: path.stat().st_mtime_ns for path in (book.root / "_build" / "html").rglob("*.html")}
    assert build(book) == []
    page = book.root / "_build" / "html" / "other.html"
    assert page.stat().st_mtime_ns == before[page], "a page that has not changed is not written again"


def test_changed_prose_is_shown_without_executing(book: TinyBook) -> None:
    book.edit("docs/index.md", "同じ文である", "書き直した文である")
    assert build(book) == []
    assert "書き直した文である" in book.html()
    assert shown(book, "jax") == ["from jax", "42"]


def test_one_changed_cell_of_one_framework_executes_one_notebook(book: TinyBook) -> None:
    book.edit("docs/index.md", "framework = 'torch'", "framework = 'PyTorch'")
    assert build(book) == ["index · PyTorch"]
    assert shown(book, "pytorch") == ["from PyTorch", "42"]
    assert shown(book, "jax") == ["from jax", "42"]


def test_comments_and_titles_of_config_execute_nothing(book: TinyBook) -> None:
    """A comment changes nothing at all; a new title is on the page."""
    book.edit("config.ini", "[project]", "# a comment\n[project]")
    assert build(book) == []
    assert "別の題名" not in book.html()
    book.edit("config.ini", "title = 小さな本", "title = 別の題名")
    assert build(book) == []
    assert "別の題名" in book.html()


def test_a_change_in_one_frameworks_library_executes_its_notebooks_alone(book: TinyBook) -> None:
    book.edit(f"{LIBRARY}/jax.py", "name", "title")
    assert build(book) == ["index · JAX", "other · JAX"]
    book.edit(f"{LIBRARY}/shared.py", "name", "title")
    assert build(book) == ["index · JAX", "index · PyTorch", "other · JAX", "other · PyTorch"]


def test_an_older_version_with_an_older_time_stamp_is_the_page(book: TinyBook) -> None:
    """After `git checkout` of an old version time stamps may go back; the page is that version, with its outputs."""
    old = (book.root / "docs" / "index.md").read_text(encoding="utf-8")
    book.edit("docs/index.md", "6 * 7", "6 * 8")
    book.edit("docs/index.md", "同じ文である", "新しい文である")
    assert build(book) == ["index · JAX", "index · PyTorch"]
    assert "新しい文である" in book.html()
    assert shown(book, "jax") == ["from jax", "48"]
    path = book.write("index", old)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert build(book) == [], "the outputs of the old version are still in the store"
    assert "新しい文である" not in book.html()
    assert "同じ文である" in book.html()
    assert shown(book, "jax") == ["from jax", "42"]


def test_a_renamed_page_is_not_executed_again(book: TinyBook) -> None:
    (book.root / "docs" / "other.md").rename(book.root / "docs" / "moved.md")
    book.edit("docs/index.md", "\nother\n", "\nmoved\n")
    assert build(book) == []
    assert shown(book, "jax", "moved") == ["from jax", "42"]


def test_outputs_that_changed_in_the_store_reach_the_page(book: TinyBook) -> None:
    """A page whose outputs were executed by another command is rendered anew although its source is the same."""
    book.edit("docs/index.md", "6 * 7", "6 * 8")
    book.tabbook("html", "--execute", "never")
    assert "48" not in shown(book, "jax")
    book.tabbook("execute")
    assert build(book) == []
    assert shown(book, "jax") == ["from jax", "48"]


def test_clean_then_html_renders_without_executing(book: TinyBook) -> None:
    before = book.html()
    book.tabbook("clean")
    assert not (book.root / "_build" / "html").exists()
    assert build(book) == []
    assert book.html() == before


def test_plain_sphinx_build_renders_the_same_page_from_the_store(book: TinyBook, tmp_path: Path) -> None:
    """`sphinx-build -c . docs OUT` works without tabbook's command line, and starts no kernel."""
    (book.root / "conf.py").write_text(CONF)
    assert build(book) == []
    shutil.rmtree(book.root / "_build" / "environments")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-c", ".", "docs", str(tmp_path / "out")],
        check=False,
        capture_output=True,
        text=True,
        cwd=book.root,
    )
    assert (done.returncode, done.stderr) == (0, "")
    plain = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    version = re.compile(r"\?v=\w+")  # MyST-NB's style sheet is written too late for its checksum in a first build
    assert version.sub("", plain) == version.sub("", book.html())


def test_a_page_that_fails_and_is_corrected_is_right_again(book: TinyBook) -> None:
    """While a cell fails its page is built and says so; once it is corrected one notebook is executed."""
    book.edit("docs/index.md", "framework = 'jax'", "framework = 1 / 0")
    failed = book.tabbook("html", status=1)
    assert "docs/index.md:11: error: JAX: this cell raised ZeroDivisionError" in failed.stderr
    assert "このページのコードは、実行の途中で失敗した" in " ".join(shown(book, "jax"))
    assert shown(book, "pytorch") == ["from torch", "42"]
    assert shown(book, "jax", "other") == ["from jax", "42"]
    book.edit("docs/index.md", "framework = 1 / 0", "framework = 'Flax'")
    assert build(book) == ["index · JAX"]
    assert shown(book, "jax") == ["from Flax", "42"]
    assert "失敗した" not in book.html()


def test_the_settings_are_the_same_for_both_ways_to_build(book: TinyBook) -> None:
    """What decides whether Sphinx starts from scratch does not differ from run to run."""
    assert sphinx_settings(book.root) == sphinx_settings(book.root)
