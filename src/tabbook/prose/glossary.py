"""The book's glossary: one CSV file, a term a line, which `tabbook check` and the glossary's page both read."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from tabbook.config import Config
from tabbook.dialect.findings import Findings
from tabbook.errors import Diagnostic

__all__ = ["COLUMNS", "Glossary", "Term", "glossary_path", "parse_glossary", "read_glossary"]

COLUMNS = ("term", "pattern", "translation", "reading", "forbidden", "scope", "note")


@dataclass(frozen=True)
class Term:
    """A concept and its one word.

    `pattern` finds the English term (a regular expression; empty: the term itself), `reading` is the translation in
    hiragana, `forbidden` holds what is not to be written for it, `scope` the pages to which that applies, as globs
    (empty: all).
    """

    line: int
    english: str
    pattern: str
    translation: str
    reading: str
    forbidden: tuple[str, ...]
    scope: tuple[str, ...]
    note: str

    def applies_to(self, page: str) -> bool:
        return not self.scope or any(fnmatchcase(page, pattern) for pattern in self.scope)


@dataclass(frozen=True)
class Glossary:
    """All terms, and what is wrong with their file; `path` is relative to the project."""

    path: str
    terms: tuple[Term, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


def glossary_path(config: Config) -> Path | None:
    """Return the file: what `terminology` under [translation] names, or terms.csv among the pages if it exists.

    A terminology that is no CSV file is another tool's: d2lbook hands that name to a service.
    """
    named = config["translation"]["terminology"]
    if named:
        return config.root / named if named.endswith(".csv") else None
    usual = config.source_dir / "terms.csv"
    return usual if usual.is_file() else None


def read_glossary(config: Config) -> Glossary | None:
    """Return the book's glossary; None where it has none."""
    path = glossary_path(config)
    if path is None:
        return None
    name = config.relative(path)
    try:
        return parse_glossary(path.read_text(encoding="utf-8-sig"), name)
    except (OSError, UnicodeDecodeError) as error:
        findings = Findings(name)
        findings.add(
            1, "glossary", f"The glossary cannot be read: {error}.", "set `terminology` under [translation] to its path"
        )
        return Glossary(name, (), tuple(findings.found))


def parse_glossary(text: str, path: str) -> Glossary:
    """Return the glossary in `text`; what is wrong with it is among its diagnostics."""
    findings = Findings(path)
    terms = tuple(_terms(text, findings))
    _check_contradictions(terms, findings)
    return Glossary(path, terms, tuple(findings.found))


def _terms(text: str, findings: Findings) -> Iterator[Term]:
    reader = csv.reader(text.splitlines())
    header = tuple(next(reader, ()))
    if header != COLUMNS:
        findings.add(1, "glossary", f"The first line is not {','.join(COLUMNS)}.", "name the columns so, in this order")
        return
    for row in reader:
        if not row:
            continue
        if len(row) != len(COLUMNS):
            findings.add(
                reader.line_num,
                "glossary",
                f"The line has {len(row)} columns instead of {len(COLUMNS)}.",
                'put values with a comma into "…"',
            )
            continue
        english, pattern, translation, reading, forbidden, scope, note = (value.strip() for value in row)
        words = tuple(word.strip() for word in forbidden.split("|") if word.strip())
        term = Term(reader.line_num, english, pattern, translation, reading, words, tuple(scope.split()), note)
        _check_term(term, findings)
        yield term


def _check_term(term: Term, findings: Findings) -> None:
    if not (term.english and term.translation and term.reading):
        findings.add(term.line, "glossary", "Term, translation or reading is empty.", "write all three")
    try:
        found = re.search(term.pattern or re.escape(term.english), term.english, re.IGNORECASE)
    except re.error as error:
        findings.add(term.line, "glossary", f"The pattern {term.pattern} is none: {error}.", "correct it")
        return
    if not found:
        findings.add(
            term.line,
            "glossary",
            f"The pattern {term.pattern} does not find its own term, {term.english}.",
            "correct it, or leave it empty to look for the term itself",
        )


def _check_contradictions(terms: tuple[Term, ...], findings: Findings) -> None:
    written = {term.translation: term for term in terms}
    for term in terms:
        for word in term.forbidden:
            other = written.get(word)
            if other:
                findings.add(
                    term.line,
                    "glossary",
                    f"`{word}` is forbidden here and is the translation of {other.english} on line {other.line}.",
                    "choose one",
                )
