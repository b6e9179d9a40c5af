"""Slide marks in prose: ``[**x**]`` starts a slide, ``(**x**)`` continues it, ``~~`` text is in slides only."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["SlideMark", "SlideProblem", "find_slide_marks", "strip_slide_marks"]

_CLOSER = {"[**": "**]", "(**": "**)", "[~~": "~~]", "(~~": "~~)"}
_HALF_WIDTH = str.maketrans("（）［］", "()[]")

# What can hide a mark comes first: fenced blocks, code spans, escaped characters.
_SCAN = re.compile(
    r"""
      (?P<hidden> ^(?P<fence>`{3,}|~{3,})[^\n]*\n [\s\S]*? ^(?P=fence)[ \t]*$
                | (?P<ticks>(?<!`)`+)(?!`) (?:(?!\n\n)[\s\S])+? (?<!`)(?P=ticks)(?!`)
                | \\. )
    | (?P<open>  [\[(（［] (?:\*\*|~~) )
    | (?P<close> (?:\*\*|~~) [\])）］] )
    """,
    re.MULTILINE | re.VERBOSE,
)


@dataclass(frozen=True)
class SlideMark:
    """A pair of marks; `start` and `end` are where its inner text begins and ends in the source."""

    opener: str
    start: int
    end: int

    @property
    def starts_slide(self) -> bool:
        return self.opener.startswith("[")

    @property
    def only_in_slides(self) -> bool:
        return self.opener.endswith("~~")


@dataclass(frozen=True)
class SlideProblem:
    """A mark at `offset` without its partner; `partner` is a full-width bracket that may be meant for it."""

    offset: int
    mark: str
    partner: str = ""


def find_slide_marks(source: str) -> tuple[list[SlideMark], list[SlideProblem]]:
    """Return the pairs of marks in prose, and the marks that have no partner.

    Brackets of ordinary links and parentheses that merely begin or end with bold text are neither.
    """
    marks: list[SlideMark] = []
    problems: list[SlideProblem] = []
    opened: list[tuple[int, str]] = []
    wide: tuple[int, str] | None = None
    for match in _SCAN.finditer(source):
        mark = match["open"] or match["close"]
        if not mark:
            continue
        narrow = mark.translate(_HALF_WIDTH)
        if match["open"]:
            if mark == narrow:
                opened.append((match.start(), mark))
            else:
                wide = (match.start(), mark)
        elif any(_CLOSER[opener] == narrow for _, opener in opened):
            while _CLOSER[opened[-1][1]] != narrow:
                problems += _unclosed(source, opened.pop())
            start, opener = opened.pop()
            if mark != narrow:
                problems.append(SlideProblem(start, opener, mark))
            elif not (mark == "**]" and source.startswith("(", match.end())):
                marks.append(SlideMark(opener, start + len(opener), match.start()))
        elif mark == narrow and wide and _CLOSER[wide[1].translate(_HALF_WIDTH)] == mark:
            problems.append(SlideProblem(wide[0], wide[1], mark))
            wide = None
        elif mark == narrow and not _closes_bracket(source, match.end() - 1):
            problems.append(SlideProblem(match.start(), mark))
    for unclosed in opened:
        problems += _unclosed(source, unclosed)
    return sorted(marks, key=lambda mark: mark.start), sorted(problems, key=lambda problem: problem.offset)


def _unclosed(source: str, opened: tuple[int, str]) -> list[SlideProblem]:
    """Report an opening mark that found no partner, unless it is a bracket around text with bold in it."""
    offset, mark = opened
    paragraph = source[offset:].split("\n\n", 1)[0]
    end = _matching_bracket(paragraph, mark[0])
    if end is not None and paragraph[1:end].count(mark[1:]) % 2 == 0:
        return []
    return [SlideProblem(offset, mark)]


def _matching_bracket(text: str, bracket: str) -> int | None:
    closing = {"(": ")", "[": "]"}[bracket]
    depth = 0
    for index, character in enumerate(text):
        depth += (character == bracket) - (character == closing)
        if depth == 0:
            return index
    return None


def _closes_bracket(source: str, offset: int) -> bool:
    """Tell whether the bracket at `offset` closes one that was opened in the same paragraph."""
    opening = {")": "(", "]": "["}[source[offset]]
    paragraph = source[:offset].rsplit("\n\n", 1)[-1]
    return paragraph.count(opening) > paragraph.count(source[offset])


def strip_slide_marks(source: str) -> str:
    """Return prose without slide marks and without the text that is in slides only; lines keep their numbers."""
    marks, _ = find_slide_marks(source)
    removed: list[tuple[int, int]] = []
    for mark in marks:
        before, behind = (mark.start - len(mark.opener), mark.start), (mark.end, mark.end + len(mark.opener))
        removed += [(before[0], behind[1])] if mark.only_in_slides else [before, behind]
    pieces, position = [], 0
    for start, end in sorted(removed):
        pieces += [source[position:start], "\n" * source.count("\n", max(start, position), end)]
        position = max(position, end)
    return "".join(pieces) + source[position:]
