"""A book's config.ini in Sphinx's words; conf.py takes its settings from here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tabbook.config import Config, load_config
from tabbook.pages import find_pages
from tabbook.strings import text

__all__ = ["conf_folder", "sphinx_settings"]


def sphinx_settings(root: Path) -> dict[str, Any]:
    """Return the settings for the book in folder `root`."""
    config = load_config(root)
    project, pdf = config["project"], config["pdf"]
    language = config.language
    return {
        "project": project["title"] or project["name"],
        "author": project["author"],
        "copyright": project["copyright"] or project["author"],
        "release": project["release"],
        "version": project["release"],
        "language": language,
        "extensions": ["tabbook.sphinx_ext"],
        "tabbook_project": str(config.root),
        "root_doc": config["build"]["index"].removesuffix(".md"),
        "source_suffix": {".md": "myst-nb", ".rst": "restructuredtext"},
        "include_patterns": _patterns(config),
        # As seen from conf.py: where the book lies is no setting of the site's, and must not show in its .buildinfo.
        "bibtex_bibfiles": [os.path.relpath(path, conf_folder(config)) for path in _bibliographies(config)],
        "bibtex_default_style": "plain",
        **_markdown(),
        **_numbers(language),
        "html_theme": "furo",
        "html_title": project["title"] or project["name"],
        "html_math_renderer": "mathml",
        "html_copy_source": False,
        "html_show_sourcelink": False,
        "pygments_style": "default",
        "pygments_dark_style": "github-dark",
        "latex_engine": "uplatex" if language == "ja" else "xelatex",
        "latex_documents": [("index", f"{project['name']}.tex", project["title"], project["author"], "manual")],
        "bibtex_bibliography_header": "",
        **({"latex_logo": pdf["latex_logo"]} if pdf["latex_logo"] else {}),
    }


def conf_folder(config: Config) -> Path:
    """Return where conf.py lies: in the book, or, where it has none, where one is made for it."""
    return config.root if (config.root / "conf.py").is_file() else config.output_dir / "sphinx"


def _patterns(config: Config) -> list[str]:
    pages = [path.relative_to(config.source_dir).as_posix() for path in find_pages(config)]
    return [*pages, *config["build"]["rsts"].split()]


def _bibliographies(config: Config) -> list[Path]:
    """Return the bibliographies: the one that config.ini names and all that lie among the pages."""
    named = {config.root / name for name in config["pdf"]["bibfile"].split()}
    found = {path for path in config.source_dir.rglob("*.bib") if not path.is_relative_to(config.output_dir)}
    return sorted(path for path in named | found if path.is_file())


def _markdown() -> dict[str, Any]:
    return {
        "nb_execution_mode": "off",
        "nb_custom_formats": {".md": "tabbook.sphinx_ext.reader.read_notebook"},
        "nb_render_plugin": "tabbook",
        "nb_merge_streams": True,
        "nb_render_error_lexer": "text",  # an error may say anything; what is not Python would be a warning
        "myst_enable_extensions": ["dollarmath"],
        "myst_dmath_double_inline": True,
    }


def _numbers(language: str) -> dict[str, Any]:
    kinds = ("section", "figure", "table", "code-block")
    return {
        "numfig": True,
        "numfig_secnum_depth": 2,
        "math_numfig": True,
        "math_eqref_format": text(language, "equation"),
        "numfig_format": {kind: text(language, kind) for kind in kinds},
    }
