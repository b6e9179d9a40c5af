"""Execution with real kernels: right outputs, in the right order, nothing left behind."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from books_for_tests import CONFIG, cell, executed, left_in, outputs, processes_with, tiny_book
from tabbook.execute.store import PageState


def test_each_framework_runs_its_own_cells(tmp_path: Path) -> None:
    """Outputs are what each framework's kernel printed, the log has a line a notebook, and nothing is left behind."""
    book = tiny_book(tmp_path / "book")
    done = book.tabbook("execute", TMPDIR=str(tmp_path))
    assert outputs(book, "index", "pytorch") == ["", "from torch\n", "42"]
    assert outputs(book, "index", "jax") == ["", "from jax\n", "42"]
    assert executed(done.stderr) == ["index · JAX", "index · PyTorch"]
    number = r"\d+\.\d s"
    assert re.fullmatch(
        rf"executed 2 notebooks \(6 cells\), reused 0, failed 0; (pytorch|jax) {number}, (pytorch|jax) {number}",
        done.stderr.splitlines()[-1],
    )
    assert done.stdout == ""
    assert "\x1b" not in done.stderr, "a log has no escape codes"
    assert left_in(tmp_path) == []
    record = book.store.load(book.key("index", "jax").digest)
    assert record is not None
    assert set(record.provenance) == {"date", "device", "device_class", "duration", "versions"}


def test_cells_run_in_a_scratch_folder_beside_the_books_files(tmp_path: Path) -> None:
    """What a cell writes does not land in the book; resources and data are where the page's folder has them."""
    config = CONFIG.replace("tabs =", "resources = img/\ntabs =") + "\n[tabbook]\ndata = data/*.csv docs/near.csv\n"
    reading = "\n".join(
        [
            "import os",
            "for name in ('../img/a.svg', '../near.csv', '../../data/x.csv'):",
            "    print(open(name).read())",
            "open('written.txt', 'w').write('x')",
            "open('../img/written.txt', 'w').write('x')",
            "print(os.getcwd())",
        ]
    )
    book = tiny_book(tmp_path / "book", {"index": "# a\n", "chapter/page": "# b\n\n" + cell(reading, "jax")}, config)
    for name in ("docs/img/a.svg", "docs/near.csv", "data/x.csv"):
        (book.root / name).parent.mkdir(exist_ok=True)
        (book.root / name).write_text(f"this is {name}")
    book.tabbook("execute")
    assert outputs(book, "chapter/page", "jax") == [
        "this is docs/img/a.svg\nthis is docs/near.csv\nthis is data/x.csv\n…/docs/chapter\n"
    ]
    assert not list(book.root.rglob("written.txt"))


def test_every_kernel_starts_from_the_same_state(tmp_path: Path) -> None:
    """Seeds and hashes are fixed, and neither the author's IPython files nor the terminal's settings reach a cell."""
    start_up = tmp_path / "ipython" / "profile_default" / "startup" / "own.py"
    start_up.parent.mkdir(parents=True)
    start_up.write_text("sneaked_in = 1\n")
    page = cell("import random; print(random.random(), hash('x'))", "jax") + cell("'sneaked_in' in globals()", "jax")
    book = tiny_book(tmp_path / "book", {"index": page, "other": page.replace("print", "print ")})
    book.tabbook("execute", IPYTHONDIR=str(tmp_path / "ipython"), PYTHONHASHSEED="5")
    first = outputs(book, "index", "jax")
    assert first[1] == "False"
    assert outputs(book, "other", "jax") == first


def test_ctrl_c_ends_at_once_and_keeps_what_is_finished(tmp_path: Path) -> None:
    """An interrupt leaves no kernel, no scratch folder and no failure behind; finished notebooks stay."""
    pages = {"index": cell("1", "jax")} | {
        f"slow{n}": cell(f"import time; time.sleep(60 + {n})", "jax") for n in range(4)
    }
    book = tiny_book(tmp_path / "book", pages)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    book.store.note("jax", "index", PageState(seconds=100))  # known to take long, so it goes first
    process = subprocess.Popen(
        [sys.executable, "-m", "tabbook", "execute", "--project", str(book.root)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    assert first.startswith("[1/5] index · JAX"), first
    deadline = time.monotonic() + 20
    while len(left_in(temporary)) < 2 or not processes_with(str(temporary)):
        assert time.monotonic() < deadline, "two kernels should be running"
        time.sleep(0.05)
    time.sleep(1.5)  # into the cells
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=20)[1]
    assert time.monotonic() - began < 3
    assert process.returncode == 130
    assert said.strip() == "interrupted; what was finished is kept"
    assert processes_with(str(temporary)) == []
    assert left_in(temporary) == []
    assert outputs(book, "index", "jax") == ["1"]
    assert book.store.state("jax", "slow0").failure is None


def test_on_a_terminal_the_lines_are_the_same_and_a_bar_is_shown(tmp_path: Path) -> None:
    """On a terminal the display is live; the line a notebook stays above it."""
    book = tiny_book(tmp_path / "book")
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tabbook", "execute", "--project", str(book.root)],
        stderr=end,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(end)
    said = b""
    try:
        while piece := os.read(terminal, 4096):
            said += piece
    except OSError:  # Linux says so at the end of a terminal
        pass
    assert process.wait(timeout=60) == 0
    text = said.decode()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert executed(plain.replace("\r", "\n")) == ["index · JAX", "index · PyTorch"]
    assert "\x1b[" in text
    assert "━" in text
    assert "index · JAX, index · PyTorch" in plain or "index · PyTorch, index · JAX" in plain
    assert "executed 2 notebooks (6 cells)" in plain


def test_two_notebooks_run_at_a_time(tmp_path: Path) -> None:
    """With two workers two notebooks wait for each other and both get through."""
    (tmp_path / "meeting").mkdir()
    meet = "\n".join(
        [
            "import pathlib, time",
            f"place = pathlib.Path({str(tmp_path / 'meeting')!r})",
            "(place / name).write_text('')",
            "while len(list(place.iterdir())) < 2: time.sleep(0.01)",
            "import os; print(os.environ['OMP_NUM_THREADS'])",
        ]
    )
    page = cell("name = 't'", "pytorch") + cell("name = 'j'", "jax") + cell(meet, "pytorch, jax")
    book = tiny_book(tmp_path / "book", {"index": page}, CONFIG + "\n[tabbook]\nworkers = 2\ncell_timeout = 30\n")
    book.tabbook("execute")
    threads = max(1, len(os.sched_getaffinity(0)) // 2)
    assert outputs(book, "index", "jax")[-1] == f"{threads}\n", "workers × threads ≤ cores"


def test_the_longest_known_notebook_goes_first(tmp_path: Path) -> None:
    book = tiny_book(
        tmp_path / "book",
        {name: cell(f"'{name}'", "jax") for name in ("index", "a", "b")},
        CONFIG + "\n[tabbook]\nworkers = 1\n",
    )
    for page, seconds in {"index": 1.0, "a": 3.0, "b": 2.0}.items():
        book.store.note("jax", page, PageState(seconds=seconds))
    said = book.tabbook("execute").stderr
    assert re.findall(r"\] (\w+) ·", said) == ["a", "b", "index"]


def test_kernel_chatter_is_not_captured(tmp_path: Path) -> None:
    """The first cell's outputs hold nothing but what the cell printed, on both streams."""
    page = cell("import sys; print('out'); print('err', file=sys.stderr)", "jax")
    book = tiny_book(tmp_path / "book", {"index": page})
    done = book.tabbook("execute")
    assert len(done.stderr.splitlines()) == 2, done.stderr
    record = book.store.load(book.key("index", "jax").digest)
    assert record is not None
    assert json.loads(json.dumps(record.cells[0][1])) == [
        {"name": "stdout", "output_type": "stream", "text": "out\n"},
        {"name": "stderr", "output_type": "stream", "text": "err\n"},
    ]
