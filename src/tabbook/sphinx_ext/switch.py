"""Frameworks on one page: in HTML a switch and panels, elsewhere the chosen framework alone.

Until the post-transforms, the doctree only says which frameworks a part is for:

    container cell_code  classes="cell tag_fw-pytorch tag_fw-jax"
    container framework-text  frameworks="pytorch jax"

For HTML, runs of such parts become

    framework_group
      framework_panel  frameworks="pytorch jax"
        container …

and the page begins with a framework_switch. For LaTeX, EPUB and text the other frameworks' parts are removed.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.writers.html5 import HTML5Translator

from tabbook.page import TAG_PREFIX
from tabbook.sphinx_ext.book import book_config
from tabbook.strings import text

__all__ = ["setup"]

_TAG_CLASS = f"tag_{TAG_PREFIX}"


def setup(app: Sphinx) -> None:
    app.add_config_value("tabbook_framework", None, "env", types=[str])
    html_only: dict[str, Any] = dict.fromkeys(("latex", "text", "man", "texinfo"), (_not_written, _not_written))
    app.add_node(framework_switch, html=(_visit_switch, _depart), **html_only)
    app.add_node(framework_group, html=(_visit_group, _depart_div), **html_only)
    app.add_node(framework_panel, html=(_visit_panel, _depart_div), **html_only)
    app.add_post_transform(GroupFrameworks)
    app.add_post_transform(ChooseFramework)


class framework_switch(nodes.General, nodes.Element):  # noqa: N801 - docutils' nodes are written so
    """The page's choice of framework; `frameworks` are pairs of name and title."""


class framework_group(nodes.General, nodes.Element):  # noqa: N801
    """Panels of which one is seen at a time."""


class framework_panel(nodes.General, nodes.Element):  # noqa: N801
    """What the readers of `frameworks` see; `titles` are the names they know them by."""


def frameworks_of(node: nodes.Node) -> tuple[str, ...]:
    """Return the frameworks that a part of a page is for; none if it is for all."""
    if not isinstance(node, nodes.container):
        return ()
    if "frameworks" in node:
        return tuple(node["frameworks"])
    return tuple(name.removeprefix(_TAG_CLASS) for name in node["classes"] if name.startswith(_TAG_CLASS))


def _parts(document: nodes.document) -> list[nodes.container]:
    return [node for node in document.findall(nodes.container) if frameworks_of(node)]


class GroupFrameworks(SphinxPostTransform):
    """Group the frameworks' parts into panels, and put the switch before the first section's text."""

    default_priority = 20
    builders = ("html", "dirhtml", "singlehtml")

    def run(self, **kwargs: Any) -> None:
        config = book_config(self.app)
        frameworks = self.env.metadata[self.env.docname].get("frameworks", ())
        if not frameworks:
            return
        titles = {name: config.frameworks[name].title for name in frameworks}
        for parent in dict.fromkeys(part.parent for part in _parts(self.document)):
            parent.children = _grouped(parent, titles)
        first_section = next(iter(self.document.findall(nodes.section)), None)
        if first_section is not None:
            switch = framework_switch(frameworks=list(titles.items()), language=config.language)
            title = first_section.first_child_matching_class(nodes.title)
            first_section.insert(0 if title is None else title + 1, switch)


def _grouped(parent: nodes.Element, titles: dict[str, str]) -> list[nodes.Node]:
    children: list[nodes.Node] = []
    for is_part, run in groupby(parent.children, key=lambda node: bool(frameworks_of(node))):
        siblings = list(run)
        children += [_group(siblings, titles)] if is_part else siblings
    for child in children:
        child.parent = parent
    return children


def _group(parts: Sequence[nodes.Node], titles: dict[str, str]) -> framework_group:
    group = framework_group()
    for names, run in groupby(parts, key=frameworks_of):
        shown = [titles[name] for name in names if name in titles]
        group += framework_panel("", *run, frameworks=list(names), titles=shown)
    return group


class ChooseFramework(SphinxPostTransform):
    """Keep one framework's parts where a page cannot be switched."""

    default_priority = 20
    formats = ("latex", "epub", "text", "man", "texinfo")

    def is_supported(self) -> bool:
        return self.app.builder.name not in GroupFrameworks.builders

    def run(self, **kwargs: Any) -> None:
        available = self.env.metadata[self.env.docname].get("frameworks", ())
        wanted = self.config.tabbook_framework
        chosen = wanted if wanted in available else next(iter(available), None)
        for part in _parts(self.document):
            if chosen not in frameworks_of(part):
                part.parent.remove(part)


# HTML


def _visit_switch(self: HTML5Translator, node: framework_switch) -> None:
    names = [name for name, _ in node["frameworks"]]
    choices = "".join(
        f'<label><input type="radio" name="framework" value="{name}"{" checked" if name == names[0] else ""}>'
        f"<span>{html.escape(title)}</span></label>"
        for name, title in node["frameworks"]
    )
    # One rule a framework; `:has()` lets the choice work without JavaScript.
    rules = "".join(
        f'body:has(.framework-switch input[value="{name}"]:checked) '
        f'.framework-panel:not([data-framework~="{name}"]){{display:none}}'
        for name in names
    )
    legend = html.escape(text(node["language"], "frameworks"))
    self.body.append(
        f"<style>@media screen,print{{{rules}}}</style>"
        f'<fieldset class="framework-switch"><legend>{legend}</legend>{choices}</fieldset>\n'
    )


def _visit_group(self: HTML5Translator, node: framework_group) -> None:
    self.body.append('<div class="framework-group">\n')


def _visit_panel(self: HTML5Translator, node: framework_panel) -> None:
    names = " ".join(node["frameworks"])
    label = html.escape("・".join(node["titles"]))
    self.body.append(f'<div class="framework-panel" data-framework="{names}"><p class="framework-name">{label}</p>\n')


def _depart_div(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append("</div>\n")


def _depart(self: HTML5Translator, node: nodes.Element) -> None:
    """Nothing is left open."""


def _not_written(self: Any, node: nodes.Element) -> None:
    raise AssertionError(f"{node.tagname} is made for HTML only")
