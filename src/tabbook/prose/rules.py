"""All rules for Japanese prose, and what they need to know of the book."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tabbook.config import CONFIG_NAME, Config
from tabbook.dialect.findings import Findings
from tabbook.document import Document
from tabbook.errors import BookError, Diagnostic
from tabbook.prose.doubled import doubled_words
from tabbook.prose.emphasis import unclosed_emphasis
from tabbook.prose.glossary import Glossary, read_glossary
from tabbook.prose.passage import passages
from tabbook.prose.register import REGISTERS, mixed_register, usual_register
from tabbook.prose.terms import Wording
from tabbook.prose.verbs import impossible_forms
from tabbook.prose.width import WIDTH_RULES

__all__ = ["HouseStyle", "house_style", "prose_findings"]


@dataclass(frozen=True)
class HouseStyle:
    """What one book has decided: its terms and its register."""

    glossary: Glossary
    register: str


def house_style(config: Config, documents: Iterable[Document]) -> HouseStyle | None:
    """Return the style of a Japanese book; None for a book in another language.

    Raises:
        BookError: config.ini names a register that there is not.
    """
    if config.language.split("_")[0].split("-")[0] != "ja":
        return None
    register = config["tabbook"]["register"]
    if register and register not in REGISTERS:
        raise BookError(
            f"{CONFIG_NAME}: error: `register = {register}` under [tabbook] is none.\n"
            "    hint: write da (である), masu (です・ます), or nothing for what most sentences have"
        )
    usual = register or usual_register(passage for document in documents for passage in passages(document))
    return HouseStyle(read_glossary(config) or Glossary(""), usual)


def prose_findings(document: Document, page: str, style: HouseStyle) -> list[Diagnostic]:
    """Return what is said of a page's prose; `page` is its path under the source folder, without suffix."""
    findings = Findings(document.path)
    wording = Wording(style.glossary, page)
    for passage in passages(document):
        wording.forbidden_words(passage, findings)
        mixed_register(passage, style.register, findings)
        impossible_forms(passage, findings)
        doubled_words(passage, findings)
        unclosed_emphasis(passage, findings)
        plain = wording.without_signs(passage)
        for rule in WIDTH_RULES:
            rule(plain, findings)
    return findings.found
