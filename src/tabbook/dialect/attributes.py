"""The attributes of a fence: ``{.python .input n=3}``, in Pandoc's notation."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["FenceAttributes", "parse_attributes"]

LANGUAGES = ("python", "r", "ruby", "bash")
"""Languages that a code cell may have."""

_ITEM = re.compile(r"""(?:[^\s"']|"[^"]*"|'[^']*')+""")


@dataclass(frozen=True)
class FenceAttributes:
    """Classes (`.x`) and values (`k=v`) of a fence."""

    classes: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()

    @property
    def is_output(self) -> bool:
        return "output" in self.classes and "json" in self.classes

    @property
    def is_input(self) -> bool:
        return "input" in self.classes and not self.is_output

    @property
    def language(self) -> str:
        return next((name for name in LANGUAGES if name in self.classes), "python")


def parse_attributes(info: str) -> FenceAttributes:
    """Parse a fence's info string.

    >>> parse_attributes("{.python .input  n=3}").classes
    ('python', 'input')
    >>> parse_attributes("python").classes
    ('python',)
    """
    items = _ITEM.findall(info.strip().strip("{}"))
    if len(items) == 1 and not items[0].startswith(("#", ".")) and "=" not in items[0]:
        return FenceAttributes(classes=(items[0],))
    classes = tuple(item[1:] for item in items if item.startswith("."))
    values = tuple((name, value) for name, _, value in (item.partition("=") for item in items if "=" in item))
    return FenceAttributes(classes, values)
