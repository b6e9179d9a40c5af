"""Full-width and half-width characters, and blanks beside Japanese."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from tabbook.dialect.findings import Findings
from tabbook.prose.passage import JAPANESE, MASK, REFERENCE, WIDE, Passage

__all__ = ["WIDTH_RULES"]

_WIDE_LETTERS = re.compile(r"[Ａ-Ｚａ-ｚ０-９]+")
_NARROW_KANA = re.compile(r"[｡-ﾟ]+")
_WIDE_BLANK = re.compile("\u3000+")
_BRACKETS = re.compile(r"(\S?) *(\(([^()\n]*)\))")
_NARROW_SIGNS = re.compile(rf"(?<=[{JAPANESE}」』）])[,.:;!?]+")
_BLANK = re.compile(rf"(?<=[{WIDE}]) +(?=[{WIDE}A-Za-z0-9{MASK}])|(?<=[A-Za-z0-9{MASK}]) +(?=[{WIDE}])")
_FULL = str.maketrans(",.:;!?", "、。：；！？")


def _full_width_letters(passage: Passage, findings: Findings) -> None:
    for match in _WIDE_LETTERS.finditer(passage.text):
        findings.add(
            passage.line(match.start()),
            "full-width-letter",
            f"`{match[0]}` is written in full-width letters or digits.",
            f"write `{unicodedata.normalize('NFKC', match[0])}`",
            "warning",
        )


def _half_width_kana(passage: Passage, findings: Findings) -> None:
    for match in _NARROW_KANA.finditer(passage.text):
        findings.add(
            passage.line(match.start()),
            "half-width-kana",
            f"`{match[0]}` is written in half-width kana or signs.",
            f"write `{unicodedata.normalize('NFKC', match[0])}`",
            "warning",
        )


def _half_width_brackets(passage: Passage, findings: Findings) -> None:
    for match in _BRACKETS.finditer(passage.text):
        before, whole, inner = match.groups()
        if re.search(f"[{WIDE}]", before + inner):
            findings.add(
                passage.line(match.start(2)),
                "half-width-brackets",
                f"`{_shown(whole)}` has half-width brackets among Japanese.",
                "write （ and ）, without blanks; formulas go between $, code between backticks",
                "warning",
            )


def _half_width_signs(passage: Passage, findings: Findings) -> None:
    for match in _NARROW_SIGNS.finditer(passage.text):
        findings.add(
            passage.line(match.start()),
            "half-width-sign",
            f"The half-width `{match[0]}` follows Japanese: `{_around(passage, match)}`.",
            f"write `{match[0].translate(_FULL)}`",
            "warning",
        )


def _blanks(passage: Passage, findings: Findings) -> None:
    matches = {passage.line(match.start()): match for match in reversed(list(_BLANK.finditer(passage.text)))}
    for line, match in matches.items():
        findings.add(
            line,
            "manual-space",
            f"A blank stands beside Japanese: `{_around(passage, match)}`.",
            "remove such blanks; the page sets the distance",
            "warning",
        )


def _full_width_blanks(passage: Passage, findings: Findings) -> None:
    for match in _WIDE_BLANK.finditer(passage.text):
        findings.add(
            passage.line(match.start()),
            "full-width-space",
            f"A full-width blank stands in `{_around(passage, match)}`.",
            "remove it",
            "warning",
        )


def _around(passage: Passage, match: re.Match[str]) -> str:
    """Return the match with a few characters on both sides."""
    around = passage.text[max(match.start() - 6, 0) : match.end() + 6]
    return _shown(around)


def _shown(text: str) -> str:
    return re.sub(f"[{MASK}{REFERENCE}]", "…", text).replace("\n", " ")


WIDTH_RULES: tuple[Callable[[Passage, Findings], None], ...] = (
    _full_width_letters,
    _half_width_kana,
    _half_width_brackets,
    _half_width_signs,
    _blanks,
    _full_width_blanks,
)
