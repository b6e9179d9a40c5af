"""The book that a Sphinx run renders: its configuration and its store, found once a run."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config as Settings
from sphinx.errors import ConfigError
from sphinx.util import logging

from tabbook.config import Config, load_config
from tabbook.errors import BookError
from tabbook.execute.shared import open_store, shared_report
from tabbook.execute.store import OutputStore

__all__ = ["book_config", "book_store", "page_path", "project_config", "report_store"]

logger = logging.getLogger(__name__)


@lru_cache(maxsize=8)
def _config(root: Path) -> Config:
    return load_config(root)


def book_config(app: Sphinx) -> Config:
    return project_config(app.config)


def project_config(settings: Settings) -> Config:
    """Return the book's configuration where Sphinx's is at hand, but not its application."""
    return _config(Path(settings.tabbook_project))


def book_store(app: Sphinx) -> OutputStore:
    """Return the store; it is one for the whole run, since it remembers what the store behind it does not have."""
    if not hasattr(app, "tabbook_outputs"):
        folder = Path(app.config.tabbook_store or book_config(app).store_dir)
        try:
            app.tabbook_outputs = open_store(folder, app.config.tabbook_store_url)  # type: ignore[attr-defined]
        except BookError as error:
            raise ConfigError(str(error)) from error
    store: OutputStore = app.tabbook_outputs  # type: ignore[attr-defined]
    return store


def report_store(app: Sphinx, _error: Exception | None) -> None:
    """Warn of what is wrong with the store behind the book's own."""
    if hasattr(app, "tabbook_outputs"):  # not where the book's settings are wrong
        for line in shared_report(app.tabbook_outputs):
            logger.warning(line)


def page_path(app: Sphinx, docname: str) -> Path:
    return Path(app.env.doc2path(docname))
