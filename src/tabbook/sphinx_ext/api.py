"""The reference of the companion library, and links to it from code.

    ```{library-reference}
    ```

becomes a section for each public name, in the order of the modules' `__all__`; what differs between the frameworks
stands in panels. The section of `d2l.try_gpu` has the id `d2l-try-gpu`, and on all pages `d2l.try_gpu` is a link to it:
in prose, and in the HTML of code cells.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.domains.python import PythonDomain
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

from tabbook.config import Config
from tabbook.errors import BookError
from tabbook.reference import Entry, Part, merge_entries, read_module
from tabbook.sphinx_ext.book import book_config, project_config
from tabbook.strings import text

__all__ = ["LibraryReference", "LinkNames", "setup"]

_PARTS = r"(\w+)(?:\(.*\))?"
_IN_HTML = '<span class="n">{}</span><span class="o">.</span><span class="n">(\\w+)</span>'


def setup(app: Sphinx) -> None:
    app.add_directive("library-reference", LibraryReference)
    app.add_post_transform(LinkNames)
    app.connect("html-page-context", _link_code)


def _package(config: Config) -> Path:
    return config.root / config["tabbook"]["library"]


def _modules(config: Config) -> dict[str, Path]:
    """Return the library's modules by tab, where there are any."""
    paths = {tab: _package(config) / f"{config.frameworks[tab].module}.py" for tab in config.tabs}
    return {tab: path for tab, path in paths.items() if path.is_file()}


class LibraryReference(SphinxDirective):
    """All public names of the companion library."""

    has_content = False
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        book = project_config(self.config)
        modules = _modules(book)
        if not modules:
            raise self.error(f"the companion library {book.relative(_package(book))} has no module for any framework")
        try:
            found = {tab: read_module(path, f"{_package(book).name}.{path.stem}") for tab, path in modules.items()}
        except BookError as error:
            raise self.error(str(error)) from None
        for path in modules.values():
            self.env.note_dependency(str(path))
        self.env.metadata[self.env.docname]["frameworks"] = tuple(modules)
        names = dict.fromkeys(name for entries in found.values() for name in entries)
        return [
            self._section(name, {tab: entries[name] for tab, entries in found.items() if name in entries}, book)
            for name in names
        ]

    def _section(self, name: str, entries: dict[str, Entry], book: Config) -> nodes.section:
        full_name = f"{_package(book).name}.{name}"
        node_id = nodes.make_id(full_name)
        names = [nodes.fully_normalize_name(full_name)]
        section = nodes.section("", ids=[node_id], names=names, classes=["library-entry"])
        section += nodes.title("", "", nodes.literal("", full_name))
        self.set_source_info(section)
        self.state.document.note_explicit_target(section)
        domain = self.env.get_domain("py")
        assert isinstance(domain, PythonDomain)
        domain.note_object(full_name, next(iter(entries.values())).kind, node_id, location=section)
        tabs = tuple(_modules(book))
        if len(entries) < len(tabs):
            titles = text(book.language, "separator").join(book.frameworks[tab].title for tab in entries)
            section += nodes.paragraph("", text(book.language, "only-in").format(frameworks=titles))
        for variant in merge_entries(entries, tabs):
            shown = [node for part in variant.parts for node in self._part(part, book.language)]
            section.extend([_for_readers(variant.tabs, shown)] if variant.tabs else shown)
        section.extend(_source_links(entries, book))
        return section

    def _part(self, part: Part, language: str) -> list[nodes.Node]:
        if part.kind == "code":
            return [nodes.literal_block(part.text, part.text, language="python")]
        if part.kind == "text":
            return self._prose(part.text)
        heading = nodes.rubric("", text(language, part.kind))
        if not part.rows:
            return [heading, *self._prose(part.text)]
        rows = nodes.definition_list()
        for name, description in part.rows:
            term = nodes.term("", "", nodes.literal("", name))
            rows += nodes.definition_list_item("", term, nodes.definition("", *self._prose(description)))
        return [heading, rows]

    def _prose(self, markdown: str) -> list[nodes.Node]:
        parsed = nodes.Element()
        self.state.nested_parse(StringList(markdown.splitlines(), self.env.docname), self.content_offset, parsed)
        return parsed.children


def _for_readers(tabs: Sequence[str], shown: Sequence[nodes.Node]) -> nodes.container:
    return nodes.container("", *shown, classes=["framework-text"], frameworks=list(tabs))


def _source_links(entries: dict[str, Entry], book: Config) -> list[nodes.Node]:
    """Return a link for each framework to the line where a name is defined, if the book says where that can be read."""
    address = book["tabbook"]["source_url"]
    if not address:
        return []
    links: list[nodes.Node] = []
    for tab, entry in entries.items():
        target = address.format(path=book.relative(_modules(book)[tab]), line=entry.line)
        link = nodes.reference("", text(book.language, "source"), refuri=target, internal=False)
        links.append(_for_readers([tab], [nodes.paragraph("", "", link)]))
    return links


# Links


def _target(env: BuildEnvironment, full_name: str) -> tuple[str, str] | None:
    """Return the page and the id of a name in the reference."""
    labels = env.domains.standard_domain.anonlabels
    found = labels.get(nodes.fully_normalize_name(full_name))
    return found if found and found[1] == nodes.make_id(full_name) else None


class LinkNames(SphinxPostTransform):
    """Make `d2l.name` and `d2l.name(…)` in prose a link to the reference."""

    default_priority = 200

    def run(self, **kwargs: Any) -> None:
        package = _package(project_config(self.config)).name
        for literal in list(self.document.findall(nodes.literal)):
            name = re.fullmatch(f"{re.escape(package)}\\.{_PARTS}", literal.astext())
            target = _target(self.env, f"{package}.{name[1]}") if name else None
            if target and not isinstance(literal.parent, nodes.title | nodes.reference):
                link = make_refnode(self.app.builder, self.env.docname, *target, [])
                literal.replace_self(link)
                link += literal


def _link_code(app: Sphinx, docname: str, _template: str, context: dict[str, Any], doctree: Any) -> None:
    """Make `d2l.name` in highlighted code a link; Pygments has put each word into an element of its own."""
    if doctree is None or "body" not in context:
        return
    package = _package(book_config(app)).name

    def linked(match: re.Match[str]) -> str:
        target = _target(app.env, f"{package}.{match[1]}")
        if target is None or target[0] == docname:
            return match[0]
        address = f"{app.builder.get_relative_uri(docname, target[0])}#{target[1]}"
        return f'<a class="library-name" href="{address}">{match[0]}</a>'

    context["body"] = re.sub(_IN_HTML.format(re.escape(package)), linked, context["body"])
