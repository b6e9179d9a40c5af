"""Who builds the same book: ours, ordinary kernels, d2lbook, MyST-NB. Each has a copy of the book of its own.

`convert` brings the pages into the contestant's form, which is not measured; `build` is what is measured.
"""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from benchmarks.book import TABBOOK, Book
from benchmarks.cells import hook_line
from benchmarks.kernels import Kernels, clean_environ
from benchmarks.processes import Usage, measure, total
from tabbook.environments import environment_python

__all__ = ["CONTESTANTS", "SLOW", "Contestant", "D2lbook", "MystNb", "Ordinary", "Ours", "Site", "note_cells"]

_MYST_CONF = """\
project = "book"
exclude_patterns = ["_build", ".jupyter_cache"]
extensions = ["myst_nb"]
html_theme = "furo"
myst_enable_extensions = ["dollarmath"]
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
"""


@dataclass
class Contestant(ABC):
    """One who builds `book`; `remembers` tells whether a second build knows of the first one."""

    book: Book
    kernels: Kernels
    title: ClassVar[str]
    remembers: ClassVar[bool] = True

    def convert(self) -> None:  # noqa: B027 - most read the pages themselves
        """Bring the book's pages into the form that is built."""

    @abstractmethod
    def build(self, watch: float = 0.0) -> Usage:
        """Build and return the cost; `watch` as in `measure`."""


class Ours(Contestant):
    """`tabbook execute`: a store of outputs, kernels forked from a server a framework."""

    title = "ours: `tabbook execute`"
    command = "execute"

    def build(self, watch: float = 0.0) -> Usage:
        return measure([*TABBOOK, self.command], self.book.root, clean_environ(), watch)

    def forget(self) -> None:
        """Remove the store; what compilers have cached stays."""
        shutil.rmtree(self.book.config.store_dir)


class Site(Ours):
    """`tabbook html`: the same, and then the site."""

    title = "ours with the site: `tabbook html`"
    command = "html"


@dataclass
class Ordinary(Contestant):
    """nbclient with a new process of ipykernel for each notebook, as many at a time as there are cores."""

    title = "ordinary kernels: nbclient"
    remembers = False
    cells: Path | None = None  # where the kernels write their cells' times
    imports: bool = True  # whether those kernels make the framework's imports before the first cell

    @property
    def folder(self) -> Path:
        return self.book.root / "_build" / "notebooks"

    def convert(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.book.notebooks(self.folder)

    def build(self, watch: float = 0.0) -> Usage:
        program = Path(__file__).with_name("ordinary.py")
        command: list[str | Path] = [_peer(self.book, "bench"), program, *sorted(self.folder.rglob("*.ipynb"))]
        return measure(command, self.book.root, self.kernels.environ(cells=self.cells, imports=self.imports), watch)


class D2lbook(Contestant):
    """`d2lbook build eval`, a tab after the other, as d2lbook does; its kernel `python3` is the framework's."""

    title = "d2lbook 1.0.3: `build eval`, four tabs"

    def convert(self) -> None:
        self.book.catch_announced()

    def build(self, watch: float = 0.0) -> Usage:
        python = _peer(self.book, "d2lbook")
        program = python.with_name("d2lbook")
        return total(
            measure([python, program, "build", "eval", "--tab", tab], self.book.root, self.kernels.environ(tab), watch)
            for tab in self.book.config.tabs
        )


class MystNb(Contestant):
    """`sphinx-build` with MyST-NB and its jupyter-cache on the notebooks of all frameworks; it makes a site, too.

    One page at a time: with `-j`, two of its processes may both make the cache's tables, and the build ends.
    """

    title = "MyST-NB with jupyter-cache, with the site"

    @property
    def folder(self) -> Path:
        return self.book.root / "_build" / "myst"

    def convert(self) -> None:
        made = self.book.notebooks(self.folder)
        for framework in self.book.config.tabs:  # pages name images by ../img
            shutil.copytree(self.book.config.source_dir / "img", self.folder / framework / "img", dirs_exist_ok=True)
        if not (self.folder / "conf.py").exists():
            contents = "\n".join(path.relative_to(self.folder).with_suffix("").as_posix() for path in made.values())
            (self.folder / "index.md").write_text(f"# Book\n\n```{{toctree}}\n{contents}\n```\n", encoding="utf-8")
            (self.folder / "conf.py").write_text(_MYST_CONF, encoding="utf-8")

    def build(self, watch: float = 0.0) -> Usage:
        command: list[str | Path] = [
            _peer(self.book, "bench"),
            "-m",
            "sphinx",
            "-q",
            "-j",
            "auto",
            "-b",
            "html",
            ".",
            "_build",
        ]
        return measure(command, self.folder, self.kernels.environ(), watch)


CONTESTANTS: dict[str, type[Contestant]] = {
    "ours": Ours,
    "ordinary": Ordinary,
    "d2lbook": D2lbook,
    "myst-nb": MystNb,
    "site": Site,
}
"""In the order in which they take turns."""

SLOW = ("d2lbook", "myst-nb", "site")
"""Those that have a turn in the first rounds only: no bar is measured by them."""


def note_cells(book: Book, folder: Path) -> None:
    """Let the kernels that `tabbook` starts write their cells' times into `folder`: a line more in what sets seeds."""
    folder.mkdir()
    line = hook_line(repr(str(folder)))
    frameworks = book.config.frameworks.values()
    book.configure({f"framework-{each.name}": {"seed": f"{each.seed_code}\n{line}"} for each in frameworks})


def _peer(book: Book, name: str) -> Path:
    return environment_python(book.config.environments_dir, name)
