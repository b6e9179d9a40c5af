"""Which pages are outdated: those whose source or outputs differ, whatever the time stamps say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from tabbook.page import fingerprint
from tabbook.sphinx_ext.book import book_config, book_store, page_path

__all__ = ["setup"]


def setup(app: Sphinx) -> None:
    app.connect("env-get-outdated", _outdated)
    app.connect("env-purge-doc", _forget)
    app.connect("env-merge-info", _merge)
    app.connect("source-read", _remember)


def _fingerprints(env: BuildEnvironment) -> dict[str, str]:
    if not hasattr(env, "tabbook_fingerprints"):
        env.tabbook_fingerprints = {}  # type: ignore[attr-defined]
    found: dict[str, str] = env.tabbook_fingerprints  # type: ignore[attr-defined]
    return found


def _current(app: Sphinx, docname: str) -> str:
    path = page_path(app, docname)
    return fingerprint(book_config(app), book_store(app), path) if path.suffix == ".md" else ""


def _outdated(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    known = _fingerprints(env)
    others = env.found_docs - added - changed - removed
    return [docname for docname in others if known.get(docname) != _current(app, docname)]


def _remember(app: Sphinx, docname: str, source: Any) -> None:
    _fingerprints(app.env)[docname] = _current(app, docname)


def _forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    _fingerprints(env).pop(docname, None)


def _merge(app: Sphinx, env: BuildEnvironment, docnames: Iterable[str], other: BuildEnvironment) -> None:
    read_there = _fingerprints(other)
    _fingerprints(env).update({docname: read_there[docname] for docname in docnames if docname in read_there})
