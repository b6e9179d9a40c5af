"""The Sphinx side: pages come from the store of outputs, one page holds all frameworks. No kernel is started here."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

from tabbook import __version__
from tabbook.sphinx_ext import (
    api,
    chapters,
    directives,
    freshness,
    interface,
    labels,
    mathml,
    provenance,
    reader,
    switch,
    terms,
    warned,
)

__all__ = ["setup"]


def setup(app: Sphinx) -> dict[str, Any]:
    for extension in ("myst_nb", "sphinxcontrib.bibtex"):
        app.setup_extension(extension)
    pages = (reader, directives, switch, provenance, labels, chapters, freshness, api, terms)
    for feature in (*pages, mathml, interface, warned):
        feature.setup(app)
    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True, "env_version": 1}
