"""Builds that are killed: what they have finished is never lost, never damaged, and never executed again."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from books_for_tests import Running, TinyBook, cell, processes_with, tiny_book
from tabbook.execute.store import ENTRY_FILES, OutputStore, PageState

KILLS = 20
PAGES = [f"p{number}" for number in range(3)]
EPOCH = {"SOURCE_DATE_EPOCH": "1700000000"}


@pytest.fixture
def book(tmp_path: Path) -> TinyBook:
    """Six notebooks; each says in a file beside the book that its cells have begun."""
    begun = f"open({str(tmp_path / 'begun')!r}, 'a').write(f'{{page}} {{tab}}\\n')"
    pages = {
        page: f"# {page}\n\n"
        + "".join(cell(f"page, tab = {page!r}, {tab!r}", tab) for tab in ("pytorch", "jax"))
        + cell(f"import time\n_ = {begun}")
        + cell("time.sleep(0.05); print(page, tab, sorted({'b', 'a'}))")
        for page in PAGES
    }
    return tiny_book(tmp_path / "book", {"index": "# x\n", **pages})


def begun(book: TinyBook) -> list[str]:
    path = book.root.parent / "begun"
    return path.read_text().splitlines() if path.exists() else []


def finished(store: OutputStore, book: TinyBook) -> set[str]:
    """Return the notebooks with good outputs."""
    tabs = ("pytorch", "jax")
    return {f"{page} {tab}" for page in PAGES for tab in tabs if store.load(book.key(page, tab).digest)}


def entries(store: OutputStore) -> dict[str, bytes]:
    return {
        str(file.relative_to(store.folder)): file.read_bytes()
        for _, entry in store.entries()
        for file in entry.iterdir()
    }


def states(store: OutputStore) -> list[PageState]:
    """Return what is known of the pages, but for how long they took."""
    tabs = ("pytorch", "jax")
    return [replace(store.state(tab, page), seconds=0.0) for page in PAGES for tab in tabs]


def kernels(book: TinyBook) -> list[int]:
    """Return the processes that fork servers of the book have forked."""
    servers = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if str(book.root) in (line := _text(path)) and "fork_server.py" in line
    ]
    return [child for server in servers for child in _children(server) if child in servers]


def _text(path: Path) -> str:
    try:
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _children(pid: int) -> list[int]:
    return [int(child) for child in _text(Path(f"/proc/{pid}/task/{pid}/children")).split()]


def nothing_is_left(book: TinyBook, seconds: float = 3) -> bool:
    """Wait until no process of the book's environments is left."""
    deadline = time.monotonic() + seconds
    while processes_with(str(book.root / "_build")):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_whenever_a_build_is_killed_the_next_goes_on(book: TinyBook) -> None:
    """Twenty builds, each killed at a random moment: nothing finished runs twice, the store is as if undisturbed."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed of the random moments: {seed}")
    chance = random.Random(seed)
    undisturbed = OutputStore(book.root / "undisturbed")
    began = time.monotonic()
    book.tabbook("execute", "--store", str(undisturbed.folder), **EPOCH)
    longest = time.monotonic() - began
    store = OutputStore(book.root / "store0")
    killed = rounds = 0
    while killed < KILLS:
        before, already = finished(store, book), len(begun(book))
        build = book.start("execute", "--store", str(store.folder), **EPOCH)
        time.sleep(chance.uniform(0, longest * (1 - len(before) / (2 * len(PAGES) + 1))))
        os.killpg(build.pid, signal.SIGKILL)
        done = build.wait()
        killed += done.returncode == -signal.SIGKILL
        assert nothing_is_left(book)
        assert before.isdisjoint(begun(book)[already:]), "what was finished was executed again"
        assert before <= finished(store, book)
        assert store.dropped == []
        if len(finished(store, book)) == 2 * len(PAGES) or killed == KILLS:
            last = book.tabbook("execute", "--store", str(store.folder), **EPOCH)
            assert "failed 0" in last.stderr
            assert entries(store) == entries(undisturbed)
            assert states(store) == states(undisturbed)
            _collect_all(book, store)
            rounds += 1
            store = OutputStore(book.root / f"store{rounds}")


def _collect_all(book: TinyBook, store: OutputStore) -> None:
    """Prove that what killed builds have left is collected once it is old, and nothing else."""
    for path in store.folder.rglob("*"):
        os.utime(path, (time.time() - 7200,) * 2)
    book.tabbook("store", "gc", "--store", str(store.folder))
    names = [path.name for path in store.folder.rglob("*") if path.parent.name == "claims" or path.name.startswith(".")]
    assert names == []
    assert len(finished(store, book)) == 2 * len(PAGES)


def test_a_killed_kernel_is_a_failure_of_its_notebook_alone(book: TinyBook) -> None:
    """Kernels killed one by one at random moments: a letter for each, the others are finished, the next build mends."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed of the random moments: {seed}")
    chance = random.Random(seed)
    book.tabbook("execute", **EPOCH)
    store = OutputStore(book.root / "disturbed")
    for kills in (4, 0):
        before, already = finished(store, book), len(begun(book))
        build = book.start("execute", "--store", str(store.folder), **EPOCH)
        killed = _kill_kernels(book, build, kills, chance)
        done = build.wait()
        letters = re.findall(r"^docs/p\d\.md:\d+: error: \w+: .* ended its kernel \(", done.stderr, re.MULTILINE)
        assert len(letters) <= killed, "a kernel whose cells have all run may be killed without harm"
        assert (done.returncode, f"failed {len(letters)};" in done.stderr) == (int(bool(letters)), True), done.stderr
        assert len(finished(store, book)) == 2 * len(PAGES) - len(letters), "the others are finished"
        assert before.isdisjoint(begun(book)[already:]), "what was finished was executed again"
        assert nothing_is_left(book)
    assert entries(store) == entries(book.store)
    assert states(store) == states(book.store)


def _kill_kernels(book: TinyBook, build: Running, kills: int, chance: random.Random) -> int:
    """Kill so many kernels of a build, each at a random moment; return how many there were to kill."""
    killed: set[int] = set()
    while len(killed) < kills and not os.waitid(os.P_PID, build.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        time.sleep(chance.uniform(0.01, 0.3))
        if running := [pid for pid in kernels(book) if pid not in killed]:
            victim = chance.choice(running)
            killed.add(victim)
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
    return len(killed)


def test_flipped_bytes_are_mended_by_the_next_build(book: TinyBook) -> None:
    """A byte flipped in every entry: each is named, dropped and made again, with the bytes that it had."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed of the flips: {seed}")
    chance = random.Random(seed)
    book.tabbook("execute", **EPOCH)
    whole = entries(book.store)
    for _, entry in book.store.entries():
        file = entry / chance.choice(ENTRY_FILES)
        content = bytearray(file.read_bytes())
        content[chance.randrange(len(content))] ^= chance.randrange(1, 256)
        file.write_bytes(content)
    done = book.tabbook("execute", **EPOCH)
    named = re.findall(r"^the stored outputs (\w+) were damaged; they were dropped", done.stderr, re.MULTILINE)
    assert sorted(named) == sorted(key[:12] for key, _ in book.store.entries())
    assert f"executed {2 * len(PAGES)} notebooks" in done.stderr
    assert entries(book.store) == whole


STOPPING = """\
import os, time
from pathlib import Path

from tabbook.sphinx_ext.settings import sphinx_settings

globals().update(sphinx_settings(Path(__file__).parent))


def setup(app):
    def stop(app, page, *_):
        if page == "p1":
            Path(os.environ["STOPPED"]).touch()
            time.sleep(60)

    if "STOPPED" in os.environ:
        app.connect("html-page-context", stop)
"""


def test_a_killed_rendering_leaves_no_page_behind(tmp_path: Path) -> None:
    """Killed while pages with new outputs are written: the next build writes all of them; Sphinx alone would not."""
    page = "# x\n\n" + cell("import d2l.jax\nprint(d2l.jax.value)", "jax")
    book = tiny_book(tmp_path / "book", {"index": "# x\n", **dict.fromkeys(PAGES, page)})
    library = book.root / "src" / "d2l" / "jax.py"
    library.parent.mkdir(parents=True)
    library.write_text("value = 'old'\n")
    library.with_name("__init__.py").touch()
    (book.root / "conf.py").write_text(STOPPING)
    book.tabbook("html")
    library.write_text("value = 'new'\n")
    build = book.start("html", STOPPED=str(tmp_path / "stopped"))
    while not (tmp_path / "stopped").exists():
        assert not os.waitid(os.P_PID, build.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT), build.wait()
        time.sleep(0.02)
    os.killpg(build.pid, signal.SIGKILL)
    assert build.wait().returncode == -signal.SIGKILL
    book.tabbook("html")
    shown = {page: re.findall(r"<span></span>(old|new)", book.html(page)) for page in PAGES}
    assert shown == {page: ["new"] for page in PAGES}
