"""A second store behind the book's own: others' outputs on the page, without trust in their bytes."""

# Longer than 300 lines: a table of hostile inputs and faults for one subject, which reads best in one piece.

from __future__ import annotations

import http.server
import json
import random
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import pytest

from books_for_tests import PAGE, TinyBook, cell, tiny_book
from conftest import REPOSITORY
from tabbook.errors import BookError
from tabbook.execute.key import Key, parts_digest
from tabbook.execute.shared import LayeredStore, open_store, shared_report
from tabbook.execute.store import OutputStore, PageState, Record, entry_name

OUTPUT = {"output_type": "stream", "name": "stdout", "text": "出力"}


def key_of(text: str) -> Key:
    return Key(parts_digest({"cells": [text]}), {"cells": [text]})


def kept(folder: Path, text: str = "x", outputs: list[Any] | None = None) -> str:
    """Keep outputs in a store of that folder, and return their key."""
    record = Record(((text, [OUTPUT] if outputs is None else outputs),), {"date": "2026-11-23T00:00:00+00:00"})
    OutputStore(folder).save(key_of(text), record)
    return key_of(text).digest


def layered(tmp_path: Path, address: str | None = None) -> LayeredStore:
    store = open_store(tmp_path / "own", address or str(tmp_path / "shared"))
    assert isinstance(store, LayeredStore)
    return store


def bytes_below(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


# Building with it

PAGES = {"index": PAGE, "chapter/second": f"# 次\n\n{cell('print(1)', 'pytorch')}\n{cell('print(2)', 'jax')}\n"}


def html_pages(book: TinyBook) -> dict[str, bytes]:
    files = bytes_below(book.root / "_build" / "html")
    return {name: content for name, content in files.items() if name.endswith((".html", ".js", ".css"))}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> TinyBook:
    """A book that was executed and built in full, and its outputs as an archive."""
    book = tiny_book(tmp_path_factory.mktemp("made") / "book", PAGES)
    book.tabbook("html")
    book.tabbook("store", "export", str(book.root / "outputs.tar.gz"))
    return book


def clone(made: TinyBook, root: Path) -> TinyBook:
    """Return the book's sources in another folder: no environment, no store."""
    ignored = shutil.ignore_patterns("_build", "*.tar.gz")
    shutil.copytree(made.root, root, ignore=ignored)
    return TinyBook(root)


def unpacked(made: TinyBook, folder: Path) -> Path:
    with tarfile.open(made.root / "outputs.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def test_a_clone_without_frameworks_builds_the_same_site(made: TinyBook, tmp_path: Path) -> None:
    """With an exported store and nothing executed, every page is byte for byte that of the full build."""
    book = clone(made, tmp_path / "clone")
    shared = unpacked(made, tmp_path / "shared")
    before = bytes_below(shared)
    done = book.tabbook("html", "--execute", "never", "--store-url", str(shared))
    assert done.stderr == ""
    assert set(html_pages(book)) >= {"index.html", "chapter/second.html"}
    assert html_pages(book) == html_pages(made)
    assert "output-notice" not in book.html()
    assert not (book.root / "_build" / "environments").exists()
    assert bytes_below(shared) == before, "the second store is only read"
    shutil.rmtree(shared)
    book.tabbook("clean")
    book.tabbook("html", "--execute", "never")
    assert html_pages(book) == html_pages(made), "its outputs were copied"


def test_make_hands_the_address_on(tmp_path: Path) -> None:
    """`make html EXECUTE=never STORE_URL=…` is `tabbook html --execute never --store-url …`."""
    for target in ("html", "execute", "status", "notebooks"):
        command = ["make", "--dry-run", "--old-file=_build/environments/site/made", target, "STORE_URL=s3://b/a store"]
        shown = subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY, timeout=60).stdout
        assert '--store-url "s3://b/a store"' in shown, target


def test_sphinx_alone_reads_the_second_store(made: TinyBook, tmp_path: Path) -> None:
    book = clone(made, tmp_path / "clone")
    (book.root / "conf.py").write_text((REPOSITORY / "conf.py").read_text(), "utf-8")
    setting = f"tabbook_store_url={made.store.folder}"
    command = [sys.executable, "-m", "sphinx", "-q", "-c", ".", "-D", setting, "docs", "_build/html"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=book.root, timeout=60)
    assert done.stderr == ""
    assert html_pages(book)["index.html"] == html_pages(made)["index.html"]


def test_nothing_is_executed_that_the_second_store_has(made: TinyBook, tmp_path: Path) -> None:
    """No environment is made for it, either; the status and the notebooks know the outputs as well."""
    book = clone(made, tmp_path / "clone")
    address = f"--store-url={made.store.folder}"
    assert "4 notebooks: 4 fresh" in book.tabbook("status", address).stdout
    done = book.tabbook("execute", address)
    assert "executed 0 notebooks (0 cells), reused 4, failed 0" in done.stderr
    assert not (book.root / "_build" / "environments").exists()
    elsewhere = tmp_path / "elsewhere"
    arguments = ("index", "--framework=jax", "--outputs", f"--output={tmp_path}", f"--store={elsewhere}")
    book.tabbook("notebook", *arguments, address)
    assert "from jax" in (tmp_path / "index.ipynb").read_text(encoding="utf-8")


def test_older_outputs_of_the_second_store_are_shown_as_old(made: TinyBook, tmp_path: Path) -> None:
    """A changed cell has no outputs; the page's other cells have those that the second store knows of the page."""
    book = clone(made, tmp_path / "clone")
    book.edit("docs/chapter/second.md", "print(2)", "print(3)")
    address = f"--store-url={made.store.folder}"
    assert "3 fresh, 1 stale" in book.tabbook("status", address).stdout
    book.tabbook("html", "--execute", "never", address)
    assert "前回の実行" in book.html("chapter/second")
    assert "前回の実行" not in book.html()


def test_a_wrong_address_ends_the_command_before_any_work(made: TinyBook, tmp_path: Path) -> None:
    book = clone(made, tmp_path / "clone")
    archive = str(made.root / "outputs.tar.gz")
    for address, word in ((str(tmp_path / "none"), "no such folder"), (archive, "import"), ("nix://x", "scheme")):
        for command in ("execute", "status", "html"):
            done = book.tabbook(command, "--store-url", address, status=2)
            assert address in done.stderr
            assert word in done.stderr
    assert not (book.root / "_build").exists()


def test_a_store_of_another_book_is_told(made: TinyBook, tmp_path: Path) -> None:
    """Where the second store has none of the outputs asked for, the address is likely wrong."""
    book = clone(made, tmp_path / "clone")
    (tmp_path / "shared").mkdir()
    done = book.tabbook("html", "--execute", "never", "--store-url", str(tmp_path / "shared"))
    assert done.stderr.count("it has no outputs for any of the 4 notebooks") == 1
    assert "実行していない" in book.html()


# Verified like the local store


@pytest.mark.parametrize("position", range(40))
def test_flipped_bytes_are_never_used_nor_copied(tmp_path: Path, position: int) -> None:
    """A damaged entry is named, and stays where it is: the second store is others'."""
    key = kept(tmp_path / "shared")
    files = sorted((tmp_path / "shared" / entry_name(key)).iterdir())
    chance = random.Random(position)
    file = files[position % 2]
    content = bytearray(file.read_bytes())
    content[chance.randrange(len(content))] ^= chance.randrange(1, 256)
    file.write_bytes(content)
    store = layered(tmp_path)
    assert store.load(key) is None
    assert f"the entry {key[:12]} is damaged there" in "".join(shared_report(store))
    assert store.dropped == []
    assert file.read_bytes() == content
    assert not (tmp_path / "own").exists()


def test_an_entry_damaged_here_is_mended_from_there(tmp_path: Path) -> None:
    key = kept(tmp_path / "shared")
    kept(tmp_path / "own")
    (tmp_path / "own" / entry_name(key) / "key.json").write_text("{}")
    assert layered(tmp_path).load(key) == OutputStore(tmp_path / "shared").load(key)
    assert OutputStore(tmp_path / "own").load(key) is not None


@pytest.mark.parametrize(
    "outputs",
    [
        ["text"],
        [{}],
        [{"output_type": "pickle", "data": "gASV"}],
        [{"output_type": "stream", "name": "stdout", "text": 5}],
        [{"output_type": "display_data", "data": "text", "metadata": {}}],
        [{"output_type": "execute_result", "data": {}}],
        [{"output_type": "error", "ename": "E", "evalue": None, "traceback": []}],
    ],
)
def test_what_is_not_outputs_is_not_used_however_good_its_checksum(tmp_path: Path, outputs: list[Any]) -> None:
    key = kept(tmp_path / "shared", outputs=outputs)
    assert layered(tmp_path).load(key) is None
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize("provenance", [{"duration": "long"}, {"versions": ["torch"]}, {"duration": None}])
def test_provenance_that_is_none_is_not_used(tmp_path: Path, provenance: dict[str, Any]) -> None:
    OutputStore(tmp_path / "shared").save(key_of("x"), Record((("x", [OUTPUT]),), provenance))
    assert layered(tmp_path).load(key_of("x").digest) is None


def test_nesting_without_end_is_damage(tmp_path: Path) -> None:
    key = kept(tmp_path / "shared")
    (tmp_path / "shared" / entry_name(key) / "outputs.json").write_text("[" * 200_000)
    assert layered(tmp_path).load(key) is None


@pytest.mark.parametrize("key", ["../../../other", "/etc", "", "K" * 64, "a" * 63, "a" * 64 + "\n"])
def test_a_key_that_is_none_is_looked_up_nowhere(tmp_path: Path, key: str) -> None:
    """Keys stand in page states, and those come from elsewhere, too."""
    kept(tmp_path / "shared")
    store = layered(tmp_path)
    assert store.load(key) is None
    assert store.shared.asked == 0
    states = tmp_path / "shared" / "pages" / "jax" / "page.json"
    states.parent.mkdir(parents=True)
    states.write_text(json.dumps({"key": key}))
    assert store.state("jax", "page") == PageState()


def test_the_books_own_store_goes_first(tmp_path: Path) -> None:
    key = kept(tmp_path / "own")
    kept(tmp_path / "shared", outputs=[])
    theirs, ours = PageState("a" * 64, 1.0), PageState(key, 2.0)
    OutputStore(tmp_path / "shared").note("jax", "page", theirs)
    store = layered(tmp_path)
    assert store.state("jax", "page") == theirs
    store.note("jax", "page", ours)
    assert store.state("jax", "page") == ours
    record = store.load(key)
    assert record is not None
    assert record.cells[0][1] == [OUTPUT]
    assert store.shared.asked == 0


def test_a_store_that_cannot_be_written_still_gives_others_outputs(tmp_path: Path) -> None:
    key = kept(tmp_path / "shared")
    (tmp_path / "own").write_text("a file, so nothing can be made below it")
    store = layered(tmp_path)
    assert store.load(key) == OutputStore(tmp_path / "shared").load(key)
    assert store.dropped == []


# Where it lies


@pytest.fixture
def requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The paths that a web server of the folder `shared` was asked for; the first item is its address."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    seen: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            if self.path.startswith("/broken/"):
                self.send_error(503)
            else:
                super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    (tmp_path / "shared").mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "shared")))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    seen.append(f"http://127.0.0.1:{server.server_port}")
    yield seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_web_server_can_hold_it(tmp_path: Path, requests: list[str]) -> None:
    """Names may be Japanese; what is there is copied, what is not there is asked for once."""
    key = kept(tmp_path / "shared")
    OutputStore(tmp_path / "shared").note("jax", "章/頁", PageState(key, 2.5))
    store = layered(tmp_path, requests[0])
    assert store.state("jax", "章/頁") == PageState(key, 2.5)
    assert store.load(key) == store.load(key) == OutputStore(tmp_path / "shared").load(key)
    assert store.load("0" * 64) is None
    assert store.load("0" * 64) is None
    assert store.state("jax", "none") == PageState()
    assert store.state("jax", "none") == PageState()
    assert len(requests) - 1 == 1 + 2 + 1 + 1
    assert shared_report(store) == []


def test_a_site_is_built_from_a_web_server(made: TinyBook, tmp_path: Path, requests: list[str]) -> None:
    book = clone(made, tmp_path / "clone")
    shutil.copytree(made.store.folder, tmp_path / "shared", dirs_exist_ok=True)
    book.tabbook("html", "--execute", "never", "--store-url", requests[0] + "/")
    assert html_pages(book) == html_pages(made)


def test_a_broken_server_is_told_once_and_not_asked_again(made: TinyBook, tmp_path: Path, requests: list[str]) -> None:
    """The build goes on with what there is here."""
    book = clone(made, tmp_path / "clone")
    done = book.tabbook("html", "--execute", "never", "--store-url", f"{requests[0]}/broken")
    assert len(requests) - 1 == 1
    assert done.stderr.count("it cannot be read: HTTP Error 503") == 1
    assert "hint:" in done.stderr
    assert "実行していない" in book.html()


def test_no_server_at_all_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    store = layered(tmp_path, "http://127.0.0.1:9")
    assert store.load("0" * 64) is None
    assert "cannot be read" in shared_report(store)[0]


def test_other_addresses_are_read_with_fsspec(tmp_path: Path) -> None:
    key = kept(tmp_path / "shared")
    OutputStore(tmp_path / "shared").note("jax", "章/頁", PageState(key, 2.5))
    memory = fsspec.filesystem("memory")
    memory.put(str(tmp_path / "shared") + "/", "/tests-of-tabbook/", recursive=True)
    try:
        for address in ("memory://tests-of-tabbook", "memory://tests-of-tabbook/", f"file://{tmp_path}/shared"):
            store = layered(tmp_path, address)
            assert store.state("jax", "章/頁") == PageState(key, 2.5)
            assert store.load(key) == OutputStore(tmp_path / "shared").load(key)
            assert store.load("0" * 64) is None
            assert shared_report(store) == []
            shutil.rmtree(tmp_path / "own")
    finally:
        memory.rm("/tests-of-tabbook", recursive=True)


@pytest.mark.parametrize("address", ["nix://x", "s3://bucket/store"])
def test_a_scheme_that_nothing_here_reads_is_told(tmp_path: Path, address: str) -> None:
    with pytest.raises(BookError, match="nothing here reads such an address"):
        open_store(tmp_path, address)


def test_a_folder_needs_no_fsspec(tmp_path: Path) -> None:
    """Nothing for the network is loaded where the second store is a folder."""
    code = (
        "import sys; from pathlib import Path; from tabbook.execute.shared import open_store;"
        f"open_store(Path({str(tmp_path)!r}) / 'own', {str(tmp_path)!r}).load('0' * 64);"
        "print([name for name in ('fsspec', 'urllib.request', 'http.client') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"
