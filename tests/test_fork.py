"""Kernels from a fork server: as good as ordinary ones, and hostile cells end nothing but their own notebook."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from books_for_tests import CONFIG, TinyBook, cell, executed, left_in, outputs, processes_with, tiny_book
from conftest import REPOSITORY, needs_environment
from tabbook.config import load_config
from tabbook.execute.store import OutputStore
from tabbook.execute.task import find_tasks
from tabbook.pages import find_pages

FORK_FAILS = "\nfork = yes\ncheck = import os\n    os._exit(7)\n"


def test_a_forked_kernel_is_a_child_of_the_server(tmp_path: Path) -> None:
    """Two notebooks of a framework have the same parent, a server that has made its imports; none is left."""
    page = "# x\n\n" + cell(
        "import os, sys\nopen(f'/proc/{os.getppid()}/cmdline').read().split(chr(0))[2][-14:]", "jax"
    )
    page += cell("os.getppid()", "jax") + cell("'imaplib' in sys.modules", "jax")
    config = CONFIG + "imports = import imaplib\n    import no_such_module_of_ours\n"
    book = tiny_book(tmp_path / "book", {"index": page, "other": page + cell("1", "jax")}, config)
    book.tabbook("execute", TMPDIR=str(tmp_path))
    first, second = outputs(book, "index", "jax"), outputs(book, "other", "jax")
    assert first[0] == "'fork_server.py'"
    assert first[1] == second[1]
    assert first[2] == "True"
    assert left_in(tmp_path) == []
    assert processes_with(str(book.root)) == []


def test_where_forking_is_not_safe_kernels_are_new_processes(tmp_path: Path) -> None:
    """The self-check's failure is told once, with the setting that makes it unnecessary; the outputs are the same."""
    book = tiny_book(tmp_path / "book", config=CONFIG + FORK_FAILS)
    done = book.tabbook("execute", "--framework", "jax")
    assert done.stderr.splitlines()[:2] == [
        "JAX: forking kernels is not safe here (a forked child ended with status 7); each is a new process",
        "    hint: `fork = no` under [framework-jax] in config.ini says so beforehand",
    ]
    assert outputs(book, "index", "jax") == ["", "from jax\n", "42"]


def test_a_setting_turns_forking_off(tmp_path: Path) -> None:
    page = "# x\n\n" + cell("import os\nopen(f'/proc/{os.getpid()}/cmdline').read().split(chr(0))[2]", "jax")
    book = tiny_book(tmp_path / "book", {"index": page}, CONFIG + "fork = no\n")
    assert book.tabbook("execute").stderr.startswith("[1/1]")
    assert outputs(book, "index", "jax") == ["'ipykernel_launcher'"]


def test_forks_in_a_row_give_the_same_outputs(tmp_path: Path) -> None:
    """Forty notebooks forked from one server: none hangs, each starts from the same state and in its own folder."""
    source = "import os, random\nopen('mine', 'x').close()\nprint(random.random(), os.listdir())"
    pages = {f"p{number}": f"# x\n\n{cell(f'{source}  # {number}', 'jax')}" for number in range(40)}
    book = tiny_book(tmp_path / "book", {"index": "# x\n", **pages})
    done = book.tabbook("execute")
    assert len(executed(done.stderr)) == len(pages)
    assert {tuple(outputs(book, page, "jax")) for page in pages} == {("0.8444218515250481 ['mine']\n",)}


HOSTILE = {
    "loops": ("while True: pass", "took longer than 4 seconds"),
    "allocates": ("kept = []\nwhile True: kept.append(b'x' * 2**24)", "used more than 0.5 GiB of memory"),
    "exits": ("import os; os._exit(3)", "ended its kernel (Kernel died)"),
    "segfaults": ("import ctypes; ctypes.string_at(0)", "ended its kernel (Kernel died)"),
    "forks": ("import subprocess\nsubprocess.Popen(['sleep', '61973'])\n1 / 0", "raised ZeroDivisionError"),
}


@pytest.fixture(scope="module", params=["yes", "no"], ids=["forked", "new processes"])
def hostile(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[TinyBook, str]:
    """A book with a page for each hostile cell beside healthy ones, executed once: the book and what was said."""
    pages = {name: f"# x\n\n{cell('1')}{cell(source, 'jax')}{cell('2')}" for name, (source, _) in HOSTILE.items()}
    config = CONFIG + f"fork = {request.param}\n\n[tabbook]\ncell_timeout = 4\nmemory = 0.5\n"
    book = tiny_book(
        tmp_path_factory.mktemp("hostile") / "book", {"index": f"# x\n\n{cell('6 * 7', 'jax')}", **pages}, config
    )
    return book, book.tabbook("execute", status=1).stderr


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_cell_gets_a_letter(hostile: tuple[TinyBook, str], name: str) -> None:
    """The letter names page, line and cause."""
    _, said = hostile
    letter = re.search(rf"^docs/{name}\.md:(\d+): error: JAX: this cell (.*)$", said, re.MULTILINE)
    assert letter is not None, said
    assert int(letter[1]) in range(8, 12)
    assert letter[2].startswith(HOSTILE[name][1])


def test_hostile_cells_end_nothing_but_their_notebook(hostile: tuple[TinyBook, str]) -> None:
    """The healthy page is executed, the other framework's pages too, and no process is left."""
    book, said = hostile
    assert outputs(book, "index", "jax") == ["42"]
    assert f"failed {len(HOSTILE)}" in said.splitlines()[-1]
    assert processes_with("61973") == []
    assert processes_with(str(book.root)) == []


@pytest.mark.parametrize("moment", ["cells", "imports"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_build_that_is_ended_leaves_no_process(tmp_path: Path, number: signal.Signals, moment: str) -> None:
    """SIGTERM ends a build as Ctrl-C does; after SIGKILL the servers see that their build is gone, whatever they do."""
    mark = tmp_path / "running"
    waiting = f"import time; open({str(mark)!r}, chr(120)).close(); time.sleep(61974)"
    config = CONFIG + (f"imports = {waiting}\n" if moment == "imports" else "")
    book = tiny_book(tmp_path / "book", {"index": f"# x\n\n{cell(waiting, 'jax')}"}, config)
    command = [sys.executable, "-m", "tabbook", "execute", "--project", str(book.root)]
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    build = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL, start_new_session=True)
    while not mark.exists():
        time.sleep(0.05)
    build.send_signal(number)
    began = time.monotonic()
    assert build.wait(10) == {signal.SIGTERM: 130, signal.SIGKILL: -signal.SIGKILL}[number]
    while processes_with(str(book.root)) and time.monotonic() < began + 3:
        time.sleep(0.05)
    assert processes_with(str(book.root)) == []


@pytest.mark.slow
def test_every_page_is_the_same_from_forked_and_from_ordinary_kernels(site: Path, tmp_path: Path) -> None:
    """The real book executed once more with new processes: the store's outputs, made by forked kernels, are equal."""
    config = load_config(REPOSITORY)
    for name in config.tabs:
        needs_environment(name)
    copy = tmp_path / "book"
    copy.mkdir()
    for name in ("docs", "src", "requirements"):
        (copy / name).symlink_to(REPOSITORY / name)
    (copy / "_build").mkdir()
    (copy / "_build" / "environments").symlink_to(config.environments_dir)
    settings = "".join(f"\n[framework-{name}]\nfork = no\n" for name in config.tabs)
    (copy / "config.ini").write_text((REPOSITORY / "config.ini").read_text() + settings)
    subprocess.run([sys.executable, "-m", "tabbook", "execute", "--project", str(copy)], check=True, timeout=900)
    ordinary, forked = OutputStore(copy / "_build" / "store"), OutputStore(config.store_dir)
    tasks = list(find_tasks(config, find_pages(config), config.tabs))
    assert tasks
    for task in tasks:
        records = [store.load(task.key.digest) for store in (ordinary, forked)]
        assert records[0] is not None
        assert records[1] is not None
        assert records[0].cells == records[1].cells, (task.page, task.framework.name)
