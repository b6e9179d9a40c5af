"""Tiny books made by the tests: two frameworks whose cells use the standard library alone.

Their environments are views of the one that the tests run in, so kernels and everything else are real, and nothing is
installed.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from sphinx.application import Sphinx

from tabbook.__main__ import main
from tabbook.config import Config, load_config
from tabbook.environments import STAMP, environment_stamp
from tabbook.execute.key import Key, notebook_keys
from tabbook.execute.published import publish
from tabbook.execute.store import OutputStore
from tabbook.pages import read_document
from tabbook.select import Selection, select

__all__ = ["PAGE", "Running", "TinyBook", "cell", "tiny_book"]

_IMPORTED_ONCE = ("tabbook.render", "tabbook.execute.stage", "myst_nb", "furo", "sphinxcontrib.bibtex.style")

CONFIG = """\
[project]
title = 小さな本
lang = ja

[build]
source_dir = docs
tabs = pytorch, jax

[framework-pytorch]
seed = import random; random.seed({seed})
    noise_made_by_seed = 1

[framework-jax]
seed = import random; random.seed({seed})
"""


def cell(source: str, tabs: str = "all") -> str:
    """Return a code cell in the dialect."""
    return f"```{{.python .input}}\n%%tab {tabs}\n{source}\n```\n"


PAGE = f"""\
# 小さなページ
:label:`sec_tiny`

{cell("framework = 'torch'", "pytorch")}
{cell("framework = 'jax'", "jax")}
どのフレームワークにも同じ文である。

{cell("print('from', framework)")}
:begin_tab:`jax`

JAXだけの文である。

:end_tab:

{cell("6 * 7")}
"""


@dataclass(frozen=True)
class TinyBook:
    """A book in a folder, and what the tests do with it."""

    root: Path

    @property
    def config(self) -> Config:
        return load_config(self.root)

    @property
    def store(self) -> OutputStore:
        return OutputStore(self.root / "_build" / "store")

    def write(self, page: str, text: str) -> Path:
        path = self.root / "docs" / f"{page}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace one place in a file of the book."""
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name} has {text.count(old)} × {old!r}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def selection(self, page: str, framework: str) -> Selection:
        document = read_document(self.config, self.root / "docs" / f"{page}.md")
        selection = select(document, framework, self.config.tabs)
        assert selection is not None
        return selection

    def key(self, page: str, framework: str) -> Key:
        config = self.config
        return notebook_keys(self.selection(page, framework), config.frameworks[framework], config)[-1]

    def tabbook(self, *arguments: str, status: int | None = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the command line in a process of its own; `status` is the expected exit status."""
        done = _start([*arguments, "--project", str(self.root)], environ).wait()
        assert status is None or done.returncode == status, f"exit status {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def start(self, *arguments: str, **environ: str) -> Running:
        """Start the command line in a process group of its own."""
        return _start([*arguments, "--project", str(self.root)], environ, own_group=True)

    def html(self, page: str = "index") -> str:
        return (self.root / "_build" / "html" / f"{page}.html").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Running:
    """A command that runs in a fork of the tests' process.

    That is a process of its own, in which Sphinx and Jupyter need not be imported again: it saves a second a run.
    """

    arguments: list[str]
    pid: int
    out: IO[str]
    err: IO[str]

    def wait(self, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Wait until it has ended; it is killed if that takes too long."""
        deadline = time.monotonic() + seconds
        ended, status = os.waitpid(self.pid, os.WNOHANG)
        while not ended:
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(0.01)
            ended, status = os.waitpid(self.pid, os.WNOHANG)
        said = []
        for file in (self.out, self.err):
            file.seek(0)
            said.append(file.read())
            file.close()
        return subprocess.CompletedProcess(self.arguments, os.waitstatus_to_exitcode(status), *said)


def _start(arguments: list[str], environ: dict[str, str], own_group: bool = False) -> Running:
    for name in _IMPORTED_ONCE:
        importlib.import_module(name)
    out, err = tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed when it has ended
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process == 0:
        if own_group:
            os.setpgid(0, 0)
        _become(arguments, environ, out.fileno(), err.fileno())
    if own_group:
        with contextlib.suppress(OSError):  # the child was faster, and has ended
            os.setpgid(process, process)
    return Running(arguments, process, out, err)


def _become(arguments: list[str], environ: dict[str, str], out: int, err: int) -> NoReturn:
    """Be the command in this child of the tests' process."""
    status = 70
    try:
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        # Sphinx keeps the streams that stood here when it was imported.
        defaults = Sphinx.__init__.__defaults__ or ()
        streams = [value for value in defaults if hasattr(value, "write")]
        Sphinx.__init__.__defaults__ = tuple(
            (sys.stdout if value is streams[0] else sys.stderr) if value in streams else value for value in defaults
        )
        os.environ.update(environ)
        tempfile.tempdir = None  # found once a process
        status = main(arguments)
    except SystemExit as end:  # argparse ends so
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def tiny_book(root: Path, pages: dict[str, str] | None = None, config: str = CONFIG) -> TinyBook:
    """Make a book in `root` with environments that are ready; the first page has the others as its contents."""
    book = TinyBook(root)
    root.mkdir(parents=True, exist_ok=True)
    (root / "config.ini").write_text(config, encoding="utf-8")
    written = pages or {"index": PAGE}
    for page, text in written.items():
        others = "\n".join(other for other in written if other != "index")
        contents = f"\n```toc\n{others}\n```\n" if page == "index" and others else ""
        book.write(page, text + contents)
    (root / "requirements").mkdir()
    for name in book.config.tabs:
        (root / "requirements" / f"{name}.txt").write_text("six==1.17.0\n", encoding="utf-8")
        ready_environment(book, name)
    return book


def ready_environment(book: TinyBook, name: str) -> None:
    """Give the book an environment that is up to date: a view of the one that the tests run in."""
    folder = book.root / "_build" / "environments" / name
    folder.mkdir(parents=True)
    for part in ("bin", "lib", "pyvenv.cfg"):
        (folder / part).symlink_to(Path(sys.prefix) / part)
    (folder / STAMP).write_text(environment_stamp(book.root / "requirements" / f"{name}.txt"))


def outputs(book: TinyBook, page: str, framework: str) -> list[str]:
    """Return the text of the stored outputs of each cell."""
    selection = book.selection(page, framework)
    published = publish(book.config, book.store, page, selection)
    assert published.state == "fresh", published.state
    return ["".join(map(_text, published.outputs[position])) for position, _ in selection.code]


def _text(output: dict[str, object]) -> str:
    data = output.get("data")
    return str(data["text/plain"]) if isinstance(data, dict) else str(output["text"])


def executed(log: str) -> list[str]:
    """Return the notebooks that a log says were run, sorted."""
    return sorted(re.findall(r"^\[\d+/\d+\] (.*?): ", log, re.MULTILINE))


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("tb-*")]


def processes_with(text: str) -> list[str]:
    """Return the command lines of running processes that hold `text`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found
