"""Render a book with Sphinx, from its sources and the store of outputs."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.console import nocolor
from sphinx.util.logging import NAMESPACE

from tabbook.config import Config
from tabbook.errors import is_full, naming_full_disk
from tabbook.execute.claims import locked
from tabbook.execute.origin import is_url
from tabbook.sphinx_ext.settings import conf_folder

__all__ = ["build_html"]

_CONF = '''"""Made by tabbook for a book that has no conf.py of its own."""

from pathlib import Path

from tabbook.sphinx_ext.settings import sphinx_settings

globals().update(sphinx_settings(Path({root!r})))
'''


def build_html(config: Config, store: Path | None = None, store_url: str | None = None) -> tuple[Path, int]:
    """Build the site; return the path of its first page and the number of warnings that Sphinx printed.

    Two builds write to the same folders one after the other.
    """
    if not sys.stderr.isatty():
        nocolor()
    config.output_dir.mkdir(parents=True, exist_ok=True)
    with locked(config.output_dir), naming_full_disk(config.output_dir, "the site"), _finished_or_anew(config):
        try:
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
            logging.getLogger(NAMESPACE).addHandler(_FullDisk(logging.WARNING))
            app.build()
        except ExtensionError as error:
            raise error.orig_exc if isinstance(error.orig_exc, OSError) else error from None
    index = config["build"]["index"].removesuffix(".md")
    return config.html_dir / f"{index}.html", app._warncount


@contextmanager
def _finished_or_anew(config: Config) -> Iterator[None]:
    """Remove what an interrupted build has left, before another begins.

    Sphinx tells what is outdated by what it has noted and by time stamps. Where it was killed, or the disk was full,
    pages that it believes to be written are old, or files end in their middle.
    """
    unfinished = config.output_dir / "unfinished"
    if unfinished.exists():
        for folder in (config.html_dir, config.output_dir / "doctrees", config.output_dir / "jupyter_execute"):
            for path in folder.glob("*"):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    unfinished.touch()
    yield
    unfinished.unlink()


class _FullDisk(logging.Handler):
    """Raises the error of a full disk, of which Sphinx only warns, as it does of a picture that is not there."""

    def emit(self, record: logging.LogRecord) -> None:
        for value in record.args or ():
            if isinstance(value, OSError) and is_full(value):
                raise value


def _stores(store: Path | None, store_url: str | None) -> dict[str, str]:
    """Return Sphinx's settings for stores other than the book's own; a folder's name holds wherever Sphinx runs."""
    settings = {"tabbook_store": str(store.resolve())} if store else {}
    if store_url:
        settings["tabbook_store_url"] = store_url if is_url(store_url) else str(Path(store_url).resolve())
    return settings


def _conf_folder(config: Config) -> Path:
    """Return the folder of the book's conf.py; one is made in the output folder for a book without."""
    folder = conf_folder(config)
    if folder != config.root:
        folder.mkdir(parents=True, exist_ok=True)
        text = _CONF.format(root=str(config.root))
        conf = folder / "conf.py"
        if not conf.is_file() or conf.read_text(encoding="utf-8") != text:
            conf.write_text(text, encoding="utf-8")
    return folder
