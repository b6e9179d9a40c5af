"""Words that the glossary forbids, found without a tokenizer: the longest word that it knows wins."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tabbook.dialect.findings import Findings
from tabbook.prose.glossary import Glossary, Term
from tabbook.prose.passage import MASK, Passage

__all__ = ["Wording"]

_KATAKANA = "ァ-ヺー"
_LATIN = "A-Za-z0-9"


class Wording:
    """What a page may and may not write; made once for a page.

    「学習」 may be forbidden and 「深層学習」 a term: from left to right, the longest known word is taken whole.
    """

    def __init__(self, glossary: Glossary, page: str) -> None:
        self.path = glossary.path
        self.forbidden = {word: term for term in glossary.terms if term.applies_to(page) for word in term.forbidden}
        terms = {term.translation for term in glossary.terms if term.translation}
        self.with_signs = _any_of(word for word in terms if re.search(r"[^\w・]", word))
        self.known = _any_of(terms | set(self.forbidden))

    def forbidden_words(self, passage: Passage, findings: Findings) -> None:
        """Report the words that stand for a term in place of its own; 「…」 around a word alone only mentions it."""
        for match in self.known.finditer(passage.text):
            term = self.forbidden.get(match[0])
            is_mentioned = passage.text[: match.start()].endswith("「") and passage.text.startswith("」", match.end())
            if term and not is_mentioned:
                findings.add(
                    passage.line(match.start()),
                    "forbidden-term",
                    f"`{match[0]}` is not this book's word for {term.english}.",
                    _remedy(term, self.path),
                )

    def without_signs(self, passage: Passage) -> Passage:
        """Mask the terms that hold blanks or signs: they are right as the glossary has them."""
        masked = self.with_signs.sub(lambda match: MASK * len(match[0]), passage.text)
        return Passage(masked, passage.starts)


def _remedy(term: Term, path: str) -> str:
    note = f" ({term.note})" if term.note else ""
    return f"write `{term.translation}`{note}; see {path}:{term.line}"


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern for the words, the longer first; katakana and Latin words count only when they stand alone."""
    ordered = sorted(words, key=lambda word: (-len(word), word))
    return re.compile("|".join(_alone(word) for word in ordered) or r"(?!)")


def _alone(word: str) -> str:
    # The sign before is looked at behind the first character: a pattern that begins with a plain one is found faster.
    first, rest = re.escape(word[0]), re.escape(word[1:])
    before = next((f"(?<![{script}]{first})" for script in (_KATAKANA, _LATIN) if re.match(f"[{script}]", word)), "")
    behind = next((f"(?![{script}])" for script in (_KATAKANA, _LATIN) if re.search(f"[{script}]$", word)), "")
    return f"{first}{before}{rest}{behind}"
