"""The directive that a tab block of prose becomes."""

from __future__ import annotations

from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

__all__ = ["FrameworkText", "setup"]


def setup(app: Sphinx) -> None:
    app.add_directive("framework", FrameworkText)


class FrameworkText(SphinxDirective):
    """Prose for the readers of the frameworks in the argument."""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        text = nodes.container(classes=["framework-text"], frameworks=self.arguments[0].split())
        self.set_source_info(text)
        self.state.nested_parse(self.content, self.content_offset, text)
        return [text]
