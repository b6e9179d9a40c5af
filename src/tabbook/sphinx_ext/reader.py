"""Read a dialect page as a notebook with outputs, and its prose with the dialect's rules.

``source-read`` knows the page's name, MyST-NB's custom formats do not; so the merged notebook is made there, and the
custom format only takes it apart again.
"""

from __future__ import annotations

import json
from typing import Any

import nbformat
from docutils import nodes
from markdown_it.tree import SyntaxTreeNode
from myst_nb.core.render import NbElementRenderer
from sphinx.application import Sphinx

from tabbook.dialect.grammar import dialect_plugin
from tabbook.page import view_page
from tabbook.sphinx_ext.book import book_config, book_store, page_path, report_store
from tabbook.sphinx_ext.labels import label_target

__all__ = ["DialectRenderer", "read_notebook", "setup"]


def setup(app: Sphinx) -> None:
    app.add_config_value("tabbook_project", None, "env", types=[str])
    app.add_config_value("tabbook_store", None, "", types=[str])
    app.add_config_value("tabbook_store_url", None, "", types=[str])
    app.connect("source-read", _replace_source)
    app.connect("build-finished", report_store)


def _replace_source(app: Sphinx, docname: str, source: list[str]) -> None:
    path = page_path(app, docname)
    if path.suffix != ".md":
        return
    page = view_page(book_config(app), book_store(app), path)
    app.env.metadata[docname]["frameworks"] = page.frameworks
    app.env.metadata[docname]["provenance"] = page.provenance
    source[0] = json.dumps(page.notebook)


def read_notebook(text: str) -> nbformat.NotebookNode:
    """Return the notebook that `source-read` has put in place of the page."""
    return nbformat.reads(text, as_version=4)


class DialectRenderer(NbElementRenderer):  # type: ignore[misc]  # MyST-NB has no types
    """MyST-NB's renderer of notebook elements; it is made for each page, before the page's prose is parsed.

    That makes it the place to add the dialect to the page's Markdown parser.
    """

    def __init__(self, renderer: Any, logger: Any) -> None:
        super().__init__(renderer, logger)
        dialect_plugin(renderer.md)
        renderer.rules["render_dialect_label"] = self._label
        renderer.rules["render_dialect_text"] = self._text
        renderer.rules["render_dialect_problem"] = self._nothing

    def _label(self, token: SyntaxTreeNode) -> None:
        target = label_target(token.content, self.renderer.document, self.renderer.current_node)
        self.renderer.add_line_and_source_path(target, token)
        self.renderer.current_node.append(target)

    def _text(self, token: SyntaxTreeNode) -> None:
        self.renderer.current_node.append(nodes.Text(token.content))

    def _nothing(self, token: SyntaxTreeNode) -> None:
        """Show nothing: `tabbook check` has reported it."""
