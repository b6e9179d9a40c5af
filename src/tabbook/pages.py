"""Which files are the book's pages, and what stands in them."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from tabbook.config import Config
from tabbook.dialect import read_page
from tabbook.document import Document
from tabbook.errors import BookError, Diagnostic
from tabbook.select import undecidable

__all__ = ["choose_pages", "find_pages", "page_name", "read_document"]


def find_pages(config: Config) -> list[Path]:
    """Return the pages that config.ini's globs name, sorted.

    `notebooks` are pages; `non-notebooks`, `exclusions` and what lies under the output folder are not.
    """
    build = config["build"]
    found = _matches(config.source_dir, build["notebooks"])
    excluded = _matches(config.source_dir, f"{build['exclusions']} {build['non-notebooks']}")
    output = config.output_dir.resolve()
    outside = {folder for folder in {path.parent for path in found} if not folder.resolve().is_relative_to(output)}
    return sorted(path for path in found - excluded if path.suffix == ".md" and path.parent in outside)


def _matches(folder: Path, patterns: str) -> set[Path]:
    found: set[Path] = set()
    for pattern in patterns.split():
        for name in glob.glob(pattern, root_dir=folder, recursive=True):  # noqa: PTH207 - Path.glob enters hidden folders
            path = folder / name
            found |= {file for file in path.rglob("*") if file.is_file()} if path.is_dir() else {path}
    return found


def choose_pages(config: Config, names: Sequence[str]) -> list[Path]:
    """Return the pages meant by `names` (files, folders, or page names without suffix); all pages for none.

    Raises:
        BookError: a name is no page of the book.
    """
    pages = find_pages(config)
    if not names:
        return pages
    chosen: list[Path] = []
    for name in names:
        matching = [page for page in pages if _is_meant(page, name, config)]
        if not matching:
            raise BookError(
                f"{name}: no page of this book.\n    hint: pages are what `notebooks` in config.ini names, "
                f"under {config.relative(config.source_dir)}/"
            )
        chosen += matching
    return sorted(set(chosen))


def _is_meant(page: Path, name: str, config: Config) -> bool:
    candidates = [Path(name).absolute(), config.root / name, config.source_dir / name, config.source_dir / f"{name}.md"]
    return any(page == path.resolve() or page.is_relative_to(path.resolve()) for path in candidates)


def page_name(config: Config, path: Path) -> str:
    """Return the page's name: its path under the source folder without suffix, as Sphinx calls it."""
    return path.relative_to(config.source_dir).with_suffix("").as_posix()


def read_document(config: Config, path: Path) -> Document:
    """Read a page of the book; what is wrong with it is among the document's diagnostics."""
    return _read(path, config.relative(path), config.tabs, path.read_bytes())


@lru_cache(maxsize=4096)
def _read(path: Path, name: str, tabs: tuple[str, ...], content: bytes) -> Document:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        found = Diagnostic(
            name, line, "not-utf-8", "error", f"Byte {error.start} is not UTF-8.", "save the page in the encoding UTF-8"
        )
        return Document(name, (), (found,), damaged=True)
    document = read_page(text, name, tabs)
    undecided = undecidable(document, tabs)
    if not undecided:
        return document
    diagnostics = tuple(sorted([*document.diagnostics, *undecided]))
    return Document(name, document.cells, diagnostics, damaged=True)
