"""References to a chapter say so: 「1章」, where a section is 「1.1節」.

Sphinx has one format for sections of all depths; a reference to a section whose number has one part gets a format of
its own.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

from tabbook.sphinx_ext.book import book_config
from tabbook.strings import text

__all__ = ["ChapterReferences", "setup"]


def setup(app: Sphinx) -> None:
    app.add_post_transform(ChapterReferences)


class ChapterReferences(SphinxPostTransform):
    """Give references to chapters their words, before Sphinx resolves them (at priority 10)."""

    default_priority = 9

    def run(self, **kwargs: Any) -> None:
        words = text(book_config(self.app).language, "chapter")
        for reference in list(self.document.findall(addnodes.pending_xref)):
            if reference["reftype"] == "numref" and not reference["refexplicit"] and self._is_chapter(reference):
                reference["refexplicit"] = True
                reference.replace(reference[0], nodes.literal("", words))

    def _is_chapter(self, reference: addnodes.pending_xref) -> bool:
        docname, anchor = self.env.domains.standard_domain.anonlabels.get(reference["reftarget"], ("", ""))
        numbers = self.env.toc_secnumbers.get(docname, {})
        # Sphinx keeps a page's own number under "", those of its sections and figures under their anchors.
        figures = self.env.toc_fignumbers.get(docname, {}).values()
        is_inside = f"#{anchor}" in numbers or any(anchor in figure for figure in figures)
        return not is_inside and len(numbers.get("", ())) == 1
