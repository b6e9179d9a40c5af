"""The page of terms: the glossary's CSV file as a table, in the order of the Japanese syllabary.

```{terms-table}
```
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tabbook.errors import as_text
from tabbook.prose.glossary import Term, glossary_path, read_glossary
from tabbook.prose.syllabary import syllabary_key
from tabbook.sphinx_ext.book import project_config
from tabbook.strings import text

__all__ = ["TermsTable", "setup"]


def setup(app: Sphinx) -> None:
    app.add_directive("terms-table", TermsTable)


class TermsTable(SphinxDirective):
    """All terms of the book's glossary, each with its reading, its English and its note."""

    has_content = False
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        config = project_config(self.config)
        path, glossary = glossary_path(config), read_glossary(config)
        if path is None or glossary is None:
            raise self.error("the book has no glossary: write terms.csv, or set `terminology` under [translation]")
        self.env.note_dependency(str(path))
        if glossary.diagnostics:
            raise self.error(as_text(glossary.diagnostics))
        header = [text(config.language, name) for name in ("term", "english", "note")]
        terms = sorted(glossary.terms, key=lambda term: syllabary_key(term.reading))
        rows = [(_with_reading(term), term.english, term.note) for term in terms]
        table = _table(header, rows)
        self.set_source_info(table)
        return [table]


def _with_reading(term: Term) -> str:
    return term.translation if term.reading == term.translation else f"{term.translation}（{term.reading}）"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> nodes.table:
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in header), cols=len(header))
    group += nodes.thead("", _row(header))
    group += nodes.tbody("", *(_row(row) for row in rows))
    return nodes.table("", group, classes=["terms-table"])


def _row(values: Sequence[str]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", *([nodes.paragraph(value, value)] if value else [])) for value in values))
