"""Execution on a real Ray cluster of three nodes on this machine, with kernels that are real too."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from books_for_tests import CONFIG, TinyBook, cell, executed, left_in, outputs, processes_with, tiny_book
from ray_for_tests import RayNodes, ray_nodes
from tabbook.environments import STAMP, environment_stamp
from tabbook.errors import BookError
from tabbook.execute.job import HostLostError, Job, Outcome
from tabbook.execute.progress import Progress
from tabbook.execute.ray_bundle import pack, unpack
from tabbook.execute.ray_machine import environment_folder
from tabbook.execute.results import Results
from tabbook.execute.running import run_tasks
from tabbook.execute.schedule import Node
from tabbook.execute.store import OutputStore
from tabbook.execute.summary import Summary
from tabbook.execute.task import find_tasks
from tabbook.execute.waiting import waiting_tasks
from tabbook.pages import find_pages

pytestmark = pytest.mark.slow

SEEN = "import os; print(repr(os.environ['CUDA_VISIBLE_DEVICES']))"
RAYS_OWN = "print([name for name in os.environ if name.startswith('RAY_') or name == 'PYTHONBREAKPOINT'])"
NODES = (
    {"num_cpus": 1},
    {"num_cpus": 1, "num_gpus": 2},
    {"num_cpus": 1, "env_vars": {"TABBOOK_PYTHON_ODD": "/nowhere/python"}},
)


@contextmanager
def running(command: list[str], environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a command in a session of its own; it is gone in any case at the end."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, **environ},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Nodes:
    """The nodes of a cluster on this machine, and the folders that they use."""

    def __init__(self, folder: Path) -> None:
        self.cache = folder / "cache"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.cluster: RayNodes | None = None

    @property
    def environ(self) -> dict[str, str]:
        return {"TABBOOK_CACHE": str(self.cache), "TMPDIR": str(self.temporary), "RAY_TMPDIR": "/tmp"}

    def know(self, book: TinyBook) -> None:
        """Give the nodes' cache the environments that the book has: views of the one that the tests run in."""
        for name in book.config.tabs:
            requirements = book.root / "requirements" / f"{name}.txt"
            folder = environment_folder(requirements, self.environ) / name
            if not folder.exists():  # another book has the same
                shutil.copytree(book.config.environments_dir / name, folder, symlinks=True)
                (folder / STAMP).write_text(environment_stamp(requirements))

    def command(self, book: TinyBook, *arguments: str) -> list[str]:
        assert self.cluster is not None
        backend = ["--backend", "ray", "--ray-address", self.cluster.address]
        return [sys.executable, "-m", "tabbook", "execute", "--project", str(book.root), *backend, *arguments]

    def execute(self, book: TinyBook, status: int = 0, **environ: str) -> str:
        """Execute a book on the nodes; return what is said."""
        with running(self.command(book), environ) as process:
            out, err = process.communicate(timeout=120)
        assert process.returncode == status, err
        assert out == "", "what Ray has to say does not get between our own output"
        return err

    @property
    def kernels(self) -> list[str]:
        return processes_with(str(self.cache))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tbray-") as name:  # sockets lie here: the name must be short
        yield Path(name)


@pytest.fixture(scope="module")
def starting(folder: Path) -> Iterator[tuple[Nodes, Callable[[], RayNodes]]]:
    nodes = Nodes(folder)
    with ray_nodes(list(NODES), {**os.environ, **nodes.environ}) as wait:
        yield nodes, wait


@pytest.fixture(scope="module")
def nodes(starting: tuple[Nodes, Callable[[], RayNodes]]) -> Nodes:
    nodes, wait = starting
    nodes.cluster = nodes.cluster or wait()
    return nodes


BOOK = {
    "index": cell("name = 't'", "pytorch")
    + cell("name = 'j'", "jax")
    + cell(f"{SEEN}\n{RAYS_OWN}\nimport sys; print(name, os.getcwd(), sys.prefix, os.__file__)", "pytorch, jax")
    + cell("open('../data/x.txt').read(), open('img/x.svg').read()", "pytorch, jax"),
    "odd": cell("'made by a node that has its environment'", "odd"),
    "one": cell(f"#@gpu 1\n{SEEN}", "jax"),
    "two": cell(f"#@gpu 2\n{SEEN}\nprint(os.environ['OMP_NUM_THREADS'])", "jax"),
    "nine": cell(f"#@gpu 9\nprint('nobody has so many')\n{SEEN}", "jax") + cell(SEEN, "jax"),
    "failing": cell("1 / 0", "jax"),
}
BOOK_CONFIG = CONFIG.replace("jax\n", "jax, odd\nresources = img\n", 1) + (
    "[framework-odd]\nrequirements = requirements/odd.txt\n[tabbook]\nworkers = 1\ndata = data/*.txt\n"
)


def test_a_book_is_executed_as_it_is_here(starting: tuple[Nodes, Callable[[], RayNodes]], folder: Path) -> None:
    """All that can be run without a GPU has the same bytes in both stores; the nodes share no folder with us.

    CPU cells see no GPU, others as many as they ask for, and those that ask for more than a node has are not run.
    """
    nodes, wait = starting
    book = tiny_book(folder / "book", BOOK, BOOK_CONFIG)
    for name in ("data/x.txt", "docs/img/x.svg"):
        (book.root / name).parent.mkdir()
        (book.root / name).write_text(name)
    nodes.know(book)
    book.tabbook("execute", "--store", str(folder / "local"), status=1, SOURCE_DATE_EPOCH="0", CUDA_VISIBLE_DEVICES="")
    nodes.cluster = wait()
    said = nodes.execute(book, status=1, SOURCE_DATE_EPOCH="0")

    assert said.startswith("Ray: 3 nodes, 3 CPUs, 2 GPUs\n")
    assert "odd has no environment there, and is run elsewhere: TABBOOK_PYTHON_ODD=/nowhere/python: there is no" in said
    assert "failing.md:3: error: JAX: this cell raised ZeroDivisionError: division by zero." in said
    assert "executed 6 notebooks (11 cells), reused 0, failed 1, 1 without the GPUs that cells need;" in said
    assert outputs(book, "index", "jax")[1].startswith("''\n[]\nj …/docs …")
    assert outputs(book, "one", "jax")[0] in ("'0'\n", "'1'\n")
    assert outputs(book, "two", "jax") == ["'0,1'\n1\n"]
    assert outputs(book, "nine", "jax") == ["", "''\n"]

    here = OutputStore(folder / "local")
    same = {key for key, _ in here.entries()} & {key for key, _ in book.store.entries()}
    assert len(same) == 4
    assert [book.store.load(key) for key in same] == [here.load(key) for key in same]
    assert [book.store.files(key) for key in same] == [here.files(key) for key in same]
    assert nodes.kernels == []
    assert left_in(nodes.temporary) == []


def slow_book(root: Path, nodes: Nodes, seconds: float, config: str = CONFIG) -> TinyBook:
    """Make a book of six pages that take so long each."""
    pages = {name: cell(f"import time; time.sleep({seconds}); '{name}'", "jax") for name in ("index", *"abcde")}
    book = tiny_book(root, pages, config)
    nodes.know(book)
    return book


def test_a_demand_that_no_node_can_meet_is_refused_at_once(nodes: Nodes, folder: Path) -> None:
    book = tiny_book(folder / "large", config=CONFIG + "[tabbook]\nmemory = 4000000\n")
    nodes.know(book)
    assert "no machine has 4000000.0 GiB of memory" in nodes.execute(book, status=2)


def test_ctrl_c_ends_at_once_and_keeps_what_is_finished(nodes: Nodes, folder: Path) -> None:
    book = slow_book(folder / "interrupted", nodes, 1.0)
    with running(nodes.command(book), {}) as process:
        assert process.stderr is not None
        first = [process.stderr.readline() for _ in range(2)][1]
        began = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        assert process.communicate(timeout=30)[1].endswith("interrupted; what was finished is kept\n")
        assert time.monotonic() - began < 3
    assert process.returncode == 130
    assert nodes.kernels == []
    page = executed(first)[0].split(" ")[0]
    assert outputs(book, page, "jax") == [f"'{page}'"]


def test_a_dead_driver_leaves_nothing_on_the_nodes(nodes: Nodes, folder: Path) -> None:
    book = slow_book(folder / "abandoned", nodes, 60.0)
    with running(nodes.command(book), {}) as process:
        deadline = time.monotonic() + 60
        while len(nodes.kernels) < 6:  # three servers, three kernels
            assert time.monotonic() < deadline, nodes.kernels
            time.sleep(0.1)
        process.kill()
        while nodes.kernels or left_in(nodes.temporary):
            assert time.monotonic() < deadline, (nodes.kernels, left_in(nodes.temporary))
            time.sleep(0.1)


def test_a_lost_node_costs_no_outputs(nodes: Nodes, folder: Path) -> None:
    """What it was executing is executed elsewhere, and all is as it would have been."""
    assert nodes.cluster is not None
    book = slow_book(folder / "lossy", nodes, 1.0)
    with running(nodes.command(book), {}) as process:
        assert process.stderr is not None
        said = "".join(process.stderr.readline() for _ in range(2))
        nodes.cluster.kill_node(1)
        said += process.communicate(timeout=60)[1]
    assert process.returncode == 0, said
    assert "was lost (Actor" in said
    assert executed(said) == sorted(f"{page} · JAX" for page in ("index", *"abcde"))
    assert [outputs(book, page, "jax") for page in ("index", *"abcde")] == [
        [f"'{page}'"] for page in ("index", *"abcde")
    ]
    assert nodes.kernels == []


class Mortal:
    """A host that is lost with the first notebook that it is given."""

    node = Node("a", 1, 2**30)

    async def run(self, job: Job, gpus: tuple[str, ...]) -> Outcome:
        raise HostLostError(f"a was lost with {job.page} and {gpus}")


def test_without_a_machine_left_every_notebook_is_accounted_for(tmp_path: Path) -> None:
    """Neither what was running nor what was waiting is forgotten when all machines are gone."""
    book = tiny_book(tmp_path / "book", {page: cell(f"'{page}'", "jax") for page in ("index", "a", "b")})
    tasks = list(find_tasks(book.config, find_pages(book.config), ["jax"]))
    results = Results(book.store, Summary(), Progress())
    asyncio.run(run_tasks(waiting_tasks(book.config, tasks, book.store), [Mortal()], results))
    assert (results.summary.executed, results.summary.failed) == (0, 3)
    assert all("there is no machine to run it on" in letter.message for letter in results.summary.failures)


def test_a_bundle_is_all_that_kernels_need_and_nothing_else(tmp_path: Path) -> None:
    config = CONFIG.replace("jax\n", "jax\nresources = img\n", 1) + "[tabbook]\ndata = data/*.txt\n"
    book = tiny_book(tmp_path / "book", {"index": "# a\n", "other": cell("1", "jax")}, config)
    for name in ("data/x.txt", "data/y.csv", "docs/img/x.svg", "src/d2l/jax.py", "src/d2l/jax.pyc", "secret.txt"):
        (book.root / name).parent.mkdir(parents=True, exist_ok=True)
        (book.root / name).write_text(name)
    content = pack(book.config, ["jax"])
    (tmp_path / "node").mkdir()
    there = unpack(content, tmp_path / "node")
    found = {path.relative_to(there.root).as_posix() for path in there.root.rglob("*") if path.is_file()}
    assert found == {
        "config.ini", "docs/index.md", "docs/img/x.svg", "data/x.txt", "src/d2l/jax.py",
        "requirements/jax.txt", "requirements/pytorch.txt",
    }  # fmt: skip
    os.utime(book.root / "data" / "x.txt", (0, 0))
    assert pack(book.config, ["jax"]) == content
    outside = replace(
        book.config, sections={**book.config.sections, "build": {**book.config["build"], "resources": "../.."}}
    )
    with pytest.raises(BookError, match="lies outside the book's folder"):
        pack(outside, ["jax"])


@pytest.mark.parametrize(
    ("address", "reason"),
    [("127.0.0.1:1", "no Ray cluster answers there"), ("ray://x:1", "not the address"), ("x", "not the address")],
)
def test_a_wrong_address_is_refused_at_once(tmp_path: Path, address: str, reason: str) -> None:
    book = tiny_book(tmp_path / "book")
    done = book.tabbook("execute", "--backend", "ray", "--ray-address", address, status=2)
    assert f"{address}: {reason}" in done.stderr
    assert "hint: name the head of a running cluster" in done.stderr


def test_without_ray_it_is_said_what_to_do(tmp_path: Path) -> None:
    book = tiny_book(tmp_path / "book")
    code = (
        "import importlib.util as util, sys; find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'ray' else find(name, *rest)\n"
        "from tabbook.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "execute", "--backend", "ray", "--project", str(book.root)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "--backend ray: Ray is not installed here.\n    hint: make execute BACKEND=ray installs"
    )
