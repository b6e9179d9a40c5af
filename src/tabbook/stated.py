"""Values that prose takes from outputs: :output:`0.25` is to stand in the nearest output before it.

Only outputs of exactly the page's code are compared; where a page was not executed since it changed, nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tabbook.config import Config
from tabbook.dialect.elements import text_elements
from tabbook.dialect.findings import Findings
from tabbook.document import TextCell
from tabbook.errors import Diagnostic
from tabbook.execute.published import publish
from tabbook.execute.store import OutputStore
from tabbook.pages import page_name, read_document
from tabbook.select import Selection, select

__all__ = ["contradictions", "holds"]

_NUMBER = r"[-−]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_IN_TEXT = re.compile(rf"(?<![\w.]){_NUMBER}(?![\w]|\.\d)")


@dataclass(frozen=True)
class _Notebook:
    """A framework's cells and the outputs that exactly they have, by position in the page."""

    title: str
    selection: Selection
    outputs: Mapping[int, list[dict[str, Any]]]

    def text_before(self, position: int) -> str:
        """Return what the nearest cell before a position shows that shows anything."""
        before = [place for place, _ in self.selection.code if place < position]
        return next((text for place in reversed(before) if (text := _text(self.outputs.get(place, [])))), "")


def contradictions(config: Config, store: OutputStore, pages: Sequence[Path]) -> list[Diagnostic]:
    """Return where prose says a value that the output before it does not have."""
    found: list[Diagnostic] = []
    for path in pages:
        document = read_document(config, path)
        texts = [(place, cell) for place, cell in enumerate(document.cells) if isinstance(cell, TextCell)]
        if not any(":output:" in cell.source for _, cell in texts):
            continue
        findings = Findings(document.path)
        notebooks = _fresh_notebooks(config, store, path)
        for place, cell in texts:
            seen = [book for tab, book in notebooks.items() if not cell.tabs or tab in cell.tabs]
            for element in text_elements(cell.source, cell.first_line):
                if element.kind == "value":
                    _check(
                        element.value, element.line, {book.title: book.text_before(place) for book in seen}, findings
                    )
        found += findings.found
    return found


def _fresh_notebooks(config: Config, store: OutputStore, path: Path) -> dict[str, _Notebook]:
    document = read_document(config, path)
    found = {}
    for tab in config.tabs:
        selection = select(document, tab, config.tabs)
        if selection is not None:
            published = publish(config, store, page_name(config, path), selection)
            if published.state == "fresh":
                found[tab] = _Notebook(config.frameworks[tab].title, selection, published.outputs)
    return found


def _check(value: str, line: int, texts: Mapping[str, str], findings: Findings) -> None:
    without = {title: text for title, text in texts.items() if not holds(text, value)}
    if without:
        shown = next(iter(without.values())).strip().replace("\n", " ")
        findings.add(
            line,
            "contradicts-output",
            f"`{value}` is not in the output before it ({', '.join(without)}).",
            f"the output is: {shown[:60]}{'…' if len(shown) > 60 else ''}" if shown else "no cell before it shows any",
        )


def holds(text: str, value: str) -> bool:
    """Tell whether a text has a value: a number, which it may have with more decimals, or any other word.

    >>> holds("loss 0.2513", "0.25"), holds("loss 0.2513", "0.26"), holds("7946", "7,946"), holds("7946", "946")
    (True, False, True, False)
    """
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", value).replace("−", "-")
    if not re.fullmatch(_NUMBER, plain):
        return value in text
    wanted = Decimal(plain)
    numbers = [Decimal(number.replace("−", "-")) for number in _IN_TEXT.findall(text)]
    return wanted in numbers or ("." in plain and wanted in (_rounded(number, wanted) for number in numbers))


def _rounded(number: Decimal, like: Decimal) -> Decimal:
    return round(number, -int(like.as_tuple().exponent))


def _text(outputs: Sequence[Mapping[str, Any]]) -> str:
    parts = [
        output.get("text") or output.get("data", {}).get("text/plain") or output.get("evalue") for output in outputs
    ]
    return "\n".join("".join(part) for part in parts if part)
