"""The dialect as a markdown-it plugin, and a parser that reads prose with it."""

from __future__ import annotations

from functools import cache

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.footnote import footnote_plugin

from tabbook.dialect.japanese import japanese_plugin
from tabbook.dialect.marks import marks_plugin
from tabbook.dialect.roles import roles_plugin

__all__ = ["dialect_plugin", "new_prose_parser", "prose_parser"]


def dialect_plugin(md: MarkdownIt) -> None:
    """Add all rules of the dialect to a parser, MyST's or our own."""
    md.use(marks_plugin).use(roles_plugin).use(japanese_plugin)


@cache
def prose_parser() -> MarkdownIt:
    """Return the parser that `tabbook check` reads prose with: the dialect without Sphinx and MyST."""
    return new_prose_parser()


def new_prose_parser() -> MarkdownIt:
    """Return a parser as `prose_parser` does, whose rules its caller may change."""
    md = MarkdownIt("commonmark").enable("table")
    md.use(dollarmath_plugin, allow_labels=True, double_inline=True).use(footnote_plugin)
    return md.use(dialect_plugin)
