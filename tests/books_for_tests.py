"""Tiny books made by the tests: two frameworks whose cells use the standard library alone.

Their environments are views of the one that the tests run in, so kernels and everything else are real, and nothing is
installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tabbook.config import Config, load_config
from tabbook.environments import STAMP, environment_stamp
from tabbook.execute.key import Key, notebook_key
from tabbook.execute.store import OutputStore
from tabbook.pages import read_document
from tabbook.select import Selection, select

__all__ = ["PAGE", "TinyBook", "cell", "tiny_book"]

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
        return notebook_key(self.selection(page, framework), config.frameworks[framework], config)

    def tabbook(self, *arguments: str, status: int | None = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the real command line in a process of its own; `status` is the expected exit status."""
        done = subprocess.run(
            [sys.executable, "-m", "tabbook", *arguments, "--project", str(self.root)],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, **environ},
        )
        assert status is None or done.returncode == status, f"exit status {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def html(self, page: str = "index") -> str:
        return (self.root / "_build" / "html" / f"{page}.html").read_text(encoding="utf-8")


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
