"""Marks inside a code cell: the tabs it is for, the lines it hides, the libraries it asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = [
    "cell_tabs",
    "hides",
    "is_tab_loader",
    "required_libraries",
    "split_names",
    "without_hide_marks",
    "without_marks",
]

# `%%tab a, b` may follow other text, and `# @tab` may end a line: d2lbook searches, it does not match.
_COMMENT_MARK = re.compile(r"# *@tab +([\w, ]+)")
_MAGIC_MARK = re.compile(r"%%tab +([\w, ]+)")
# Lines that are for the tools and not for readers: what is hidden, and what an execution is to be like.
_HIDE_LINE = re.compile(
    r"# hide (?:code|outputs)|#@hide(?:_all|_code|_outputs?)?|#@raises(?:\s+\w+)?|#@timeout\s+[\d.]+"
    r"|#@gpu(?:\s+\d+)?(?:\s+if\s+available)?|#@(?:skip|only)\s.*",
    re.IGNORECASE,
)
_LIBRARIES = re.compile(r"# *required_libs\((.*?)\)")


def split_names(text: str) -> tuple[str, ...]:
    """Split a comma-separated list of names.

    >>> split_names("pytorch, jax")
    ('pytorch', 'jax')
    """
    return tuple(name.strip() for name in text.split(","))


def cell_tabs(source: str) -> tuple[str, ...]:
    """Return the tabs that a code cell's mark names; none without a mark."""
    match = _COMMENT_MARK.search(source) or _MAGIC_MARK.search(source)
    return split_names(match[1]) if match else ()


def mark_lines(source: str) -> list[int]:
    """Return the indices of the lines that hold a tab mark."""
    return [index for index, line in enumerate(source.split("\n")) if _is_mark(line)]


def without_marks(source: str) -> str:
    """Remove the lines that hold a tab mark."""
    return "\n".join(line for line in source.split("\n") if not _is_mark(line))


def _is_mark(line: str) -> bool:
    return bool(_COMMENT_MARK.search(line) or _MAGIC_MARK.search(line))


def is_tab_loader(source: str) -> bool:
    """Tell whether the cell only serves authors who work in Jupyter with d2lbook's extension."""
    return "%load_ext d2lbook.tab" in source


def required_libraries(sources: Iterable[str]) -> tuple[str, ...]:
    """Return what ``#required_libs("a==1", "b")`` asks to be installed where a notebook is hosted."""
    matches = (_LIBRARIES.search(source) for source in sources)
    names = (name.strip(" '\"") for match in matches if match for name in match[1].split(","))
    return tuple(name for name in names if name)


def without_hide_marks(source: str) -> str:
    """Remove the lines that hold nothing but a mark for the tools."""
    return "\n".join(line for line in source.split("\n") if not _HIDE_LINE.fullmatch(line.strip()))


def hides(source: str) -> tuple[bool, bool, bool]:
    """Return (hides code, hides outputs, hides all from here on) as the cell's comments say."""
    text = source.lower()
    everything = "#@hide_all" in text
    bare = re.search(r"#@hide\b(?!_)", text) is not None
    code = everything or bare or "# hide code" in text or "#@hide_code" in text
    outputs = everything or bare or "# hide outputs" in text or "#@hide_output" in text
    return code, outputs, everything
