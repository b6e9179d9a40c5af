"""Books to be measured: copies of the real one, and synthetic ones of any size; what an author changes in them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from tabbook.config import Config, load_config
from tabbook.execute.marks import execution_marks

__all__ = ["REPOSITORY", "TABBOOK", "Book", "cell", "copy_of_the_book", "synthetic_book"]

REPOSITORY = Path(__file__).parent.parent
TABBOOK = (sys.executable, "-m", "tabbook")
_FENCE = "```{.python .input}"
_CELL = re.compile(rf"^({re.escape(_FENCE)}\n(?:%%tab [^\n]*\n)?)(.*?)(^```$)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Book:
    """A book in a folder of its own."""

    root: Path

    @property
    def config(self) -> Config:
        return load_config(self.root)

    def notebooks(self, target: Path) -> dict[str, Path]:
        """Write the notebooks with code as `tabbook notebook` does; return them by ``page · framework``.

        Each names the kernel of its framework. A file that would not change is left alone.
        """
        found = {}
        for framework in self.config.tabs:
            made = target.with_name(f"{target.name}.new")
            command = [*TABBOOK, "notebook", "--framework", framework, "--output", str(made)]
            subprocess.run(command, cwd=self.root, check=True)
            for path in sorted(made.rglob("*.ipynb")):
                text = _named(path.read_text(encoding="utf-8"), framework)
                if text:
                    page = path.relative_to(made).with_suffix("").as_posix()
                    found[f"{page} · {framework}"] = _written(target / framework / f"{page}.ipynb", text)
            shutil.rmtree(made)
        return found

    def change_prose(self) -> None:
        """Make the first sentence of the first page with code longer by a word."""
        path, lines = self._first_page()
        index = next(index for index, line in enumerate(lines) if line.endswith("。"))
        lines[index] += "書き加えた文である。"
        path.write_text("\n".join(lines), encoding="utf-8")

    def change_code(self) -> None:
        """Give the first page's last cell of the first framework alone one more line."""
        path, lines = self._first_page()
        mark = f"%%tab {self.config.tabs[0]}"
        index = max(index for index, line in enumerate(lines) if line.strip() == mark)
        lines.insert(index + 1, "written_anew = 1")
        path.write_text("\n".join(lines), encoding="utf-8")

    def catch_announced(self) -> None:
        """Let cells that are announced to raise catch it themselves, for those who know no such announcement."""
        for path in self.config.source_dir.rglob("*.md"):
            text = path.read_text(encoding="utf-8")
            caught = _CELL.sub(_catching, text)
            if caught != text:
                path.write_text(caught, encoding="utf-8")

    def configure(self, sections: dict[str, dict[str, str]]) -> None:
        """Add settings to config.ini; the sections must be new there."""
        path = self.root / "config.ini"
        text = path.read_text(encoding="utf-8")
        for section, options in sections.items():
            lines = (f"{name} = " + value.replace("\n", "\n    ") for name, value in options.items())
            text += f"\n[{section}]\n" + "\n".join(lines) + "\n"
        path.write_text(text, encoding="utf-8")

    def _first_page(self) -> tuple[Path, list[str]]:
        for path in sorted(self.config.source_dir.rglob("*.md")):
            text = path.read_text(encoding="utf-8")
            if _FENCE in text:
                return path, text.split("\n")
        raise LookupError(f"{self.config.source_dir} has no page with code")


def copy_of_the_book(root: Path) -> Book:
    """Copy the real book; the environments are the repository's own."""
    root.mkdir(parents=True)
    for name in ("docs", "src", "requirements"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copyfile(REPOSITORY / "config.ini", root / "config.ini")
    return _with_environments(root)


def synthetic_book(root: Path, pages: dict[str, str], tabs: Iterable[str]) -> Book:
    """Make a book of these pages (name → text); the library and the environments are the repository's own."""
    (root / "docs").mkdir(parents=True)
    shutil.copytree(REPOSITORY / "src" / "d2l", root / "src" / "d2l", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(REPOSITORY / "requirements", root / "requirements")
    contents = "\n".join(pages)
    for name, text in {"index": f"# 合成した本\n\n```toc\n{contents}\n```\n", **pages}.items():
        (root / "docs" / f"{name}.md").write_text(text, encoding="utf-8")
    config = f"[project]\ntitle = 合成した本\nlang = ja\n\n[build]\nsource_dir = docs\ntabs = {', '.join(tabs)}\n"
    (root / "config.ini").write_text(config, encoding="utf-8")
    return _with_environments(root)


def cell(source: str, tabs: str = "all") -> str:
    """Return a code cell in the dialect."""
    return f"{_FENCE}\n%%tab {tabs}\n{source}\n```\n\n"


def _with_environments(root: Path) -> Book:
    """Give a book the repository's environments, and nothing that lies beside them, such as compilers' caches."""
    folder = root / "_build" / "environments"
    folder.mkdir(parents=True)
    for made in load_config(REPOSITORY).environments_dir.iterdir():
        if (made / "bin" / "python").exists():
            (folder / made.name).symlink_to(made.resolve())
    return Book(root)


def _catching(cell: re.Match[str]) -> str:
    """Return a cell that catches what it is announced to raise; any other one as it is."""
    if execution_marks(cell[2]).raises is None:
        return cell[0]
    lines = [line for line in cell[2].splitlines() if not line.startswith("#@")]
    return (
        f"{cell[1]}try:\n{indent(chr(10).join(lines), '    ')}\nexcept Exception as error:\n    print(error)\n{cell[3]}"
    )


def _named(text: str, kernel: str) -> str:
    """Return a notebook's text with its kernel's name; nothing if it has no code."""
    notebook = json.loads(text)
    if all(each["cell_type"] != "code" for each in notebook["cells"]):
        return ""
    for each in notebook["cells"]:
        # Jupyter's own way to say that a cell may raise; ours is a mark in the cell.
        if each["cell_type"] == "code" and execution_marks("".join(each["source"])).raises is not None:
            each["metadata"]["tags"] = ["raises-exception"]
    notebook["metadata"]["kernelspec"] = {"name": kernel, "display_name": kernel, "language": "python"}
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def _written(path: Path, text: str) -> Path:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return path
