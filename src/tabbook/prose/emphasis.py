"""Emphasis and code spans that do not close: their signs are left over when the paragraph has been read."""

from __future__ import annotations

import re

from tabbook.dialect.findings import Findings
from tabbook.prose.passage import Passage

__all__ = ["unclosed_emphasis"]

_SIGN = re.compile(r"`+|(?<!\S)\*+(?=\S)|(?<=\S)\*+")


def unclosed_emphasis(passage: Passage, findings: Findings) -> None:
    """Report the first star and the first backtick that are printed; a star between blanks is meant."""
    first = {match[0][0]: match for match in reversed(list(_SIGN.finditer(passage.text)))}
    for sign, match in first.items():
        findings.add(
            passage.line(match.start()),
            "unclosed-emphasis",
            f"A sign of {'code' if sign == '`' else 'emphasis'} has no partner, so readers see it: {match[0]}",
            f"write its partner in the same paragraph, or \\{sign} where the sign itself is meant",
        )
