"""Warn again: a page that Sphinx warned of is read and written anew in the next build.

Sphinx warns of a page when it reads or writes it. A second build would be silent about what is still wrong.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.logging import NAMESPACE, get_node_location

__all__ = ["setup"]


def setup(app: Sphinx) -> None:
    pages = _WarnedPages(app)
    logging.getLogger(NAMESPACE).addHandler(pages)
    app.connect("env-get-outdated", pages.outdated)
    app.connect("build-finished", pages.keep)


class _WarnedPages(logging.Handler):
    """Collects the names of the pages that warnings are about."""

    def __init__(self, app: Sphinx) -> None:
        super().__init__(logging.WARNING)
        self.app = app
        self.found: set[str] = set()

    @property
    def file(self) -> Path:
        return Path(self.app.doctreedir) / "warned.json"

    def emit(self, record: logging.LogRecord) -> None:
        docname = self._docname(getattr(record, "location", None))
        if docname:
            self.found.add(docname)

    def _docname(self, location: Any) -> str | None:
        """Return the page that a location is in: a node, a pair of page and line, or a text `path:line`."""
        if isinstance(location, tuple):
            return str(location[0])
        if isinstance(location, nodes.Node):
            location = get_node_location(location)
        if location in self.app.env.found_docs:
            return str(location)
        return self.app.env.path2doc(location.rpartition(":")[0] or location) if location else None

    def outdated(self, app: Sphinx, *_: object) -> list[str]:
        known = json.loads(self.file.read_text()) if self.file.is_file() else []
        return [docname for docname in known if docname in app.env.found_docs]

    def keep(self, app: Sphinx, _error: Exception | None) -> None:
        """Remember this build's pages; several builders share the doctrees, so each starts anew."""
        logging.getLogger(NAMESPACE).removeHandler(self)
        self.file.write_text(json.dumps(sorted(self.found)))
