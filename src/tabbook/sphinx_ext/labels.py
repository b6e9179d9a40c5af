"""Permanent ids: what `:label:` names is the id that links lead to."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

__all__ = ["label_id", "label_target", "setup"]


def setup(app: Sphinx) -> None:
    app.add_transform(LabelFirst)
    app.add_post_transform(IdsOnce)


def label_id(label: str) -> str:
    """Return a label as an id. docutils drops letters outside ASCII, and with them whole Japanese labels.

    >>> label_id("sec_custom_layer")
    'sec-custom-layer'
    >>> label_id("sec_日本")
    'sec-日本'
    """
    if label.isascii():
        return nodes.make_id(label)
    return re.sub(r"[\s_]+", "-", label.lower())


def label_target(label: str, document: nodes.document, place: nodes.Element) -> nodes.target:
    """Return a target that names what follows it."""
    target = nodes.target("", "", ids=[label_id(label)], names=[nodes.fully_normalize_name(label)])
    document.note_explicit_target(target, place)
    return target


class LabelFirst(SphinxTransform):
    """Put a section's label before the id that docutils makes of its title, so that contents and links use it."""

    default_priority = 270  # docutils has moved the targets' ids to the sections (260)

    def apply(self) -> None:
        for section in self.document.findall(nodes.section):
            ids = section["ids"]
            names = [name for name in section["names"] if self.document.nametypes.get(name)]
            explicit = [self.document.nameids[name] for name in names if self.document.nameids.get(name) in ids]
            section["ids"] = [*dict.fromkeys([*explicit, *ids])]


class IdsOnce(SphinxPostTransform):
    """Take the ids off the wrappers that furo puts around tables and formulas: it copies what it should move."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        for wrapper in self.document.findall(nodes.container):
            if {"table-wrapper", "math-wrapper"} & set(wrapper["classes"]):
                wrapper["ids"] = []
