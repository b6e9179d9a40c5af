"""The theme's own words in the book's language, our style sheet and script."""

from __future__ import annotations

from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from myst_nb.sphinx_ext import add_global_html_resources
from sphinx.application import Sphinx

__all__ = ["setup"]

_HERE = Path(__file__).parent


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", _add_static)
    app.add_css_file("tabbook.css")
    app.add_js_file("framework.js", loading_method="defer")
    _add_catalog(app)


def _add_static(app: Sphinx) -> None:
    app.config.html_static_path.append(str(_HERE / "static"))
    if app.builder.format == "html":
        # MyST-NB copies its style sheet when all is done. Pages written before link to it in another way than those
        # written by the next build: without its checksum.
        Path(app.outdir, "_static").mkdir(parents=True, exist_ok=True)
        add_global_html_resources(app, None)


def _add_catalog(app: Sphinx) -> None:
    """Compile the theme's messages, which Sphinx's own catalogue lacks, for this run."""
    source = _HERE / "locale" / f"{app.config.language}.po"
    if not source.is_file():
        return
    target = Path(app.doctreedir) / "locale" / app.config.language / "LC_MESSAGES" / "sphinx.mo"
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as messages, target.open("wb") as compiled:
        write_mo(compiled, read_po(messages, locale=app.config.language))
    app.add_message_catalog("sphinx", str(Path(app.doctreedir) / "locale"))
