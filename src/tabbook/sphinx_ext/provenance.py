"""Where the outputs come from, folded at the foot of each page; in HTML only.

The page's last lines become

    framework_group
      framework_panel  frameworks="pytorch"
        output_provenance  summary="…"  rows="…"

and stand without panels on a page that has no switch, since its outputs are the same in all frameworks.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from datetime import date
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.writers.html5 import HTML5Translator

from tabbook.config import Framework
from tabbook.sphinx_ext.book import book_config
from tabbook.sphinx_ext.switch import GroupFrameworks, framework_group, framework_panel
from tabbook.strings import text

__all__ = ["AddProvenance", "output_provenance", "setup"]

_KEY_DIGITS = 12


def setup(app: Sphinx) -> None:
    app.add_node(output_provenance, html=(_visit, _depart))
    app.add_post_transform(AddProvenance)


class output_provenance(nodes.General, nodes.Element):  # noqa: N801 - docutils' nodes are written so
    """What one framework's outputs were made with: a `summary`, and `rows` of name and value."""


class AddProvenance(SphinxPostTransform):
    """Put a line for each framework at the end of the page's first section, behind all that belongs to it."""

    default_priority = GroupFrameworks.default_priority + 1
    builders = GroupFrameworks.builders

    def run(self, **kwargs: Any) -> None:
        config = book_config(self.app)
        metadata = self.env.metadata[self.env.docname]
        section = next(iter(self.document.findall(nodes.section)), None)
        lines = {
            config.frameworks[name]: _line(origin, config.frameworks[name], config.language)
            for name, origin in metadata.get("provenance", {}).items()
        }
        if section is None or not lines:
            return
        if metadata.get("frameworks"):
            panels = [
                framework_panel("", line, frameworks=[framework.name], titles=[framework.title])
                for framework, line in lines.items()
            ]
            section += framework_group("", *panels)
        else:
            section.extend(lines.values())


def _line(origin: Mapping[str, Any], framework: Framework, language: str) -> output_provenance:
    versions = _versions(origin.get("versions"), framework)
    own = next((versions[package] for package in framework.packages if package in versions), "")
    name = " ".join([framework.title, own.split("+")[0]]).strip()
    moment = str(origin.get("date", ""))
    device = str(origin.get("device_class") or "cpu").upper()
    details = [detail for detail in (_day(moment, language), device) if detail]
    summary = text(language, "provenance").format(framework=name, details=text(language, "separator").join(details))
    python = versions.pop("python", "")
    rows = [
        *versions.items(),
        ("Python", python),
        (text(language, "provenance-device"), str(origin.get("device", ""))),
        (text(language, "provenance-date"), moment),
        (text(language, "provenance-key"), str(origin["key"])[:_KEY_DIGITS]),
    ]
    return output_provenance(summary=summary, rows=[(name, value) for name, value in rows if value])


def _versions(found: Any, framework: Framework) -> dict[str, str]:
    """Return versions by package, the framework's own first, as the store does not keep their order."""
    versions = {str(name): str(value) for name, value in found.items()} if isinstance(found, Mapping) else {}
    first = {name: versions[name] for name in framework.packages if name in versions}
    return {**first, **versions}


def _day(moment: str, language: str) -> str:
    try:
        day = date.fromisoformat(moment[:10])
    except ValueError:
        return ""
    return text(language, "date").format(year=day.year, month=day.month, day=day.day)


def _visit(self: HTML5Translator, node: output_provenance) -> None:
    rows = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in node["rows"])
    self.body.append(
        f'<details class="provenance"><summary>{html.escape(node["summary"])}</summary><dl>{rows}</dl></details>\n'
    )


def _depart(self: HTML5Translator, node: output_provenance) -> None:
    """Nothing is left open."""
