"""Inline rules that CommonMark lacks for languages written without spaces.

CommonMark decides by white space and punctuation whether ``**`` opens or closes, so ``**「重要」**で`` is not bold;
and it keeps a source line's end as a space, which Japanese does not have.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from markdown_it import MarkdownIt
from markdown_it.common.utils import isMdAsciiPunct, isPunctChar, isWhiteSpace
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Delimiter
from markdown_it.token import Token

__all__ = ["is_wide", "japanese_plugin", "one_line"]


def japanese_plugin(md: MarkdownIt) -> None:
    """Read emphasis and line ends as Japanese needs them."""
    md.inline.ruler.at("emphasis", _emphasis)
    md.core.ruler.after("text_join", "join_japanese_lines", _join_lines)


def is_wide(character: str) -> bool:
    """Tell whether a character is a full-width one, such as a kana, a kanji or 「。」."""
    return unicodedata.east_asian_width(character) in "WFH" and character != ""


def one_line(text: str) -> str:
    """Put a paragraph's source on one line, with a blank for a line end only where the page would show one."""
    lines = [" ".join(line.split()) for line in text.split("\n") if line.strip()]
    result = lines[0] if lines else ""
    for line in lines[1:]:
        before, after = (None if mark in "`$:!" else mark for mark in (result[-1], line[0]))
        result += ("" if _touch(before, after) else " ") + line
    return result


def _emphasis(state: StateInline, silent: bool) -> bool:
    """Push a run of ``*`` or ``_`` with its ability to open and close, as markdown-it's own rule does.

    The difference: a full-width neighbour counts as white space does for the run's flanks.
    """
    marker = state.src[state.pos]
    if silent or marker not in "*_":
        return False
    end = state.pos
    while end < state.posMax and state.src[end] == marker:
        end += 1
    can_open, can_close = _flanks(state.src, state.pos, end, marker)
    length = end - state.pos
    for _ in range(length):
        token = state.push("text", "", 0)
        token.content = marker
        state.delimiters.append(
            Delimiter(
                marker=ord(marker),
                length=length,
                token=len(state.tokens) - 1,
                end=-1,
                open=can_open,
                close=can_close,
            )
        )
    state.pos = end
    return True


def _flanks(source: str, start: int, end: int, marker: str) -> tuple[bool, bool]:
    before = source[start - 1] if start else " "
    after = source[end] if end < len(source) else " "
    spaces = [isWhiteSpace(ord(character)) for character in (before, after)]
    wide = [is_wide(character) for character in (before, after)]
    marks = [_is_punctuation(before) and not wide[0], _is_punctuation(after) and not wide[1]]
    left = not spaces[1] and (not marks[1] or spaces[0] or marks[0] or wide[0])
    right = not spaces[0] and (not marks[0] or spaces[1] or marks[1] or wide[1])
    if marker == "*":
        return left, right
    return left and (not right or _is_punctuation(before)), right and (not left or _is_punctuation(after))


def _is_punctuation(character: str) -> bool:
    return isMdAsciiPunct(ord(character)) or isPunctChar(character)


def _join_lines(state: StateCore) -> None:
    """Drop the line ends inside paragraphs that stand beside Japanese text."""
    for block in state.tokens:
        if block.type == "inline" and block.children:
            block.children = list(_joined(block.children))


def _joined(tokens: list[Token]) -> Iterable[Token]:
    joined = 0
    for index, token in enumerate(tokens):
        if token.type == "softbreak":
            before = _edge(reversed(tokens[:index]), last=True)
            after = _edge(tokens[index + 1 :], last=False)
            if _touch(before, after):
                joined += 1
                continue
        if joined:
            token.meta = {**token.meta, "line_ends": joined}  # so that what follows still knows its line
            joined = 0
        yield token


def _edge(tokens: Iterable[Token], last: bool) -> str | None:
    """Return the nearest visible character; None where code, mathematics or a reference stands instead of text."""
    for token in tokens:
        if token.type in ("text", "text_special", "dialect_text") and token.content:
            return token.content[-1 if last else 0]
        if token.nesting == 0 and token.type != "text":
            return None
    return " "


def _touch(before: str | None, after: str | None) -> bool:
    """Two lines are joined beside full-width punctuation, and where neither side is a letter of a spaced language."""
    sides = [side for side in (before, after) if side is not None]
    beside_punctuation = any(is_wide(side) and _is_punctuation(side) for side in sides)
    return beside_punctuation or (bool(sides) and all(is_wide(side) for side in sides))
