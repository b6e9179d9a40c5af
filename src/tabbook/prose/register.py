"""The register of sentences: である (`da`) or です・ます (`masu`), one for a book."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tabbook.dialect.findings import Findings
from tabbook.prose.passage import MASK, Passage

__all__ = ["REGISTERS", "mixed_register", "usual_register"]

# ます follows a stem on i or e; in 「励ます」 and 「だます」 it is a part of the verb.
_POLITE = re.compile(
    r"(?:(?<!である)(?:です|でした|でしょう|ください)"
    r"|(?<=[いきぎしじちにびみりえけげせぜてでねべめれ見出来得寝着似居])(?:ます|ました|ません|ましょう))"
    r"(?:か|ね|よ|が|けれど|から|ので|し)*(?=[。、！？!?）\n]|$)"
)
_PLAIN = re.compile(
    r"である(?=。)|[ぁ-ゖ一-龯々]{0,3}(?:(?<!でしょ)(?<!ましょ)う|(?<!であ)[くぐつぬぶむる]|(?<![でま])す"
    r"|(?<!まし)(?<!でし)た|だ|[なたよし]い)(?=。)"
)
_QUOTED = re.compile(r"「[^「」]*」|『[^『』]*』")

REGISTERS = {"da": (_POLITE, "polite", "である", "write である or the plain form"),
             "masu": (_PLAIN, "plain", "です・ます", "write です or ます")}  # fmt: skip
"""What a register does not have, in words: the forms, what they are, what the book is written in, what to do."""


def mixed_register(passage: Passage, register: str, findings: Findings) -> None:
    """Report the other register's forms at the ends of sentences and clauses; what is quoted may have its own."""
    pattern, kind, style, hint = REGISTERS[register]
    for match in pattern.finditer(_without_quotations(passage.text)):
        findings.add(
            passage.line(match.start()),
            "mixed-register",
            f"`{match[0]}` is {kind}; this book is written in {style}.",
            hint,
        )


def usual_register(passages: Iterable[Passage]) -> str:
    """Return the register that most sentences have."""
    texts = [_without_quotations(passage.text) for passage in passages]
    polite, plain = (sum(len(pattern.findall(text)) for text in texts) for pattern in (_POLITE, _PLAIN))
    return "masu" if polite > plain else "da"


def _without_quotations(text: str) -> str:
    return _QUOTED.sub(lambda match: MASK * len(match[0]), text)
