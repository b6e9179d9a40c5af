"""The book that a Sphinx run renders: its configuration and its store, found once a run."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from sphinx.application import Sphinx

from tabbook.config import Config, load_config
from tabbook.execute.store import OutputStore

__all__ = ["book_config", "book_store", "page_path"]


@lru_cache(maxsize=8)
def _config(root: Path) -> Config:
    return load_config(root)


def book_config(app: Sphinx) -> Config:
    return _config(Path(app.config.tabbook_project))


def book_store(app: Sphinx) -> OutputStore:
    return OutputStore(Path(app.config.tabbook_store or book_config(app).store_dir))


def page_path(app: Sphinx, docname: str) -> Path:
    return Path(app.env.doc2path(docname))
