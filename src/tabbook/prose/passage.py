"""A page's prose as readers see it: paragraph for paragraph, without what is no prose, each character with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tabbook.dialect.elements import inline_lines
from tabbook.dialect.grammar import new_prose_parser
from tabbook.dialect.roles import VALUE_MARK
from tabbook.dialect.slides import strip_slide_marks
from tabbook.document import Document, TextCell

__all__ = ["JAPANESE", "MASK", "REFERENCE", "WIDE", "Passage", "passages"]

MASK = "\ufffc"
"""Stands for code, a formula, HTML, an address or an escaped sign."""

REFERENCE = "\ufffb"
"""Stands for a reference or a citation, before which d2lbook needs a blank."""

JAPANESE = "ぁ-ゖァ-ヺー一-龯々〆"
"""Kana and kanji, for use within a character class."""

WIDE = "\u3001-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff60"
"""The same and full-width signs."""

_ADDRESS = re.compile(r"https?://[\x21-\x7e]+")


@dataclass(frozen=True)
class Passage:
    """A paragraph, heading, list item, caption or table cell.

    Emphasis and links have lost their signs; `starts` says at which offset of `text` which source line begins.
    """

    text: str
    starts: tuple[tuple[int, int], ...]

    def line(self, offset: int) -> int:
        """Return the file's line on which a character stands."""
        return next(line for start, line in reversed(self.starts) if start <= offset)


def passages(document: Document) -> list[Passage]:
    """Return all prose of a page, in the order of its blocks."""
    cells = [cell for cell in document.cells if isinstance(cell, TextCell)]
    return [passage for cell in cells for passage in _passages(strip_slide_marks(cell.source), cell.first_line)]


@cache
def _parser() -> MarkdownIt:
    # Escaped characters stay tokens of their own: only so is `\*` another thing than `*`.
    return new_prose_parser().disable("text_join")


def _passages(source: str, first_line: int) -> Iterator[Passage]:
    lines = source.split("\n")
    line = first_line
    for token in _parser().parse(source):
        line = first_line + token.map[0] if token.map else line
        if token.type == "inline":
            # The parser drops a full-width blank before a paragraph.
            yield _passage(token, line, "\u3000" if lines[line - first_line].startswith("\u3000") else "")
        elif token.type == "fence" and "caption" in token.meta:
            yield from _passages(token.meta["caption"], line)
            if "rows" in token.meta:
                yield from _passages(token.meta["rows"], first_line + int(token.meta["rows_line"]))


def _passage(block: Token, line: int, text: str) -> Passage:
    starts = [(0, line)]
    is_address = False
    for current, token in inline_lines(block, line):
        if current != starts[-1][1]:
            starts.append((len(text), current))
        is_address = token.markup == "autolink" if token.type == "link_open" else is_address and token.nesting == 0
        text += MASK if is_address and token.nesting == 0 else _seen(token)
    return Passage(text, tuple(starts))


def _seen(token: Token) -> str:
    if token.type == "text" or token.meta.get("dialect") == VALUE_MARK:
        return _ADDRESS.sub(MASK, token.content)
    if token.type in ("softbreak", "hardbreak"):
        return "\n"
    if token.type == "myst_role":
        return REFERENCE
    return MASK if token.nesting == 0 else ""
