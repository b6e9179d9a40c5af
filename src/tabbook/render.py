"""Render a book with Sphinx, from its sources and the store of outputs."""

from __future__ import annotations

import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.console import nocolor

from tabbook.config import Config
from tabbook.execute.origin import is_url

__all__ = ["build_html"]

_CONF = '''"""Made by tabbook for a book that has no conf.py of its own."""

from pathlib import Path

from tabbook.sphinx_ext.settings import sphinx_settings

globals().update(sphinx_settings(Path({root!r})))
'''


def build_html(config: Config, store: Path | None = None, store_url: str | None = None) -> tuple[Path, int]:
    """Build the site; return the path of its first page and the number of warnings that Sphinx printed."""
    if not sys.stderr.isatty():
        nocolor()
    app = Sphinx(
        srcdir=config.source_dir,
        confdir=_conf_folder(config),
        outdir=config.html_dir,
        doctreedir=config.output_dir / "doctrees",
        buildername="html",
        confoverrides=_stores(store, store_url),
        status=None,
        warning=sys.stderr,
    )
    app.build()
    index = config["build"]["index"].removesuffix(".md")
    return config.html_dir / f"{index}.html", app._warncount


def _stores(store: Path | None, store_url: str | None) -> dict[str, str]:
    """Return Sphinx's settings for stores other than the book's own; a folder's name holds wherever Sphinx runs."""
    settings = {"tabbook_store": str(store.resolve())} if store else {}
    if store_url:
        settings["tabbook_store_url"] = store_url if is_url(store_url) else str(Path(store_url).resolve())
    return settings


def _conf_folder(config: Config) -> Path:
    """Return the folder of the book's conf.py; one is made in the output folder for a book without."""
    if (config.root / "conf.py").is_file():
        return config.root
    folder = config.output_dir / "sphinx"
    folder.mkdir(parents=True, exist_ok=True)
    text = _CONF.format(root=str(config.root))
    conf = folder / "conf.py"
    if not conf.is_file() or conf.read_text(encoding="utf-8") != text:
        conf.write_text(text, encoding="utf-8")
    return folder
