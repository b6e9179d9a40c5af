"""Inline marks: ``:numref:`x```, ``:cite:`a,b``` and their like, wherever they stand in a sentence."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

__all__ = ["LINE_MARKS", "ROLES", "TAB_MARKS", "VALUE_MARK", "roles_plugin"]

ROLES = {
    "numref": "numref",
    "ref": "ref",
    "eqref": "eq",
    "cite": "cite:p",
    "citep": "cite:p",
    "citet": "cite:t",
    "class": "py:class",
    "func": "py:func",
    "mod": "py:mod",
}
"""Inline marks and the Sphinx roles that they are."""

VALUE_MARK = "output"
"""The inline mark of a value that is to stand in the output before it; readers see the value alone. It is ours."""

LINE_MARKS = ("label", "eqlabel", "width", "height", "bibliography")
"""Marks that stand on a line of their own."""

TAB_MARKS = ("begin_tab", "end_tab")

_ROLE = re.compile(r":([a-z_][\w/.-]*):`([^`\n]+)`", re.IGNORECASE)


def roles_plugin(md: MarkdownIt) -> None:
    """Turn inline marks into tokens.

    A known role becomes MyST's ``myst_role`` token; any other a ``dialect_text`` whose `meta["misplaced"]` is its name.
    A value becomes a ``dialect_text`` that is the value.
    `meta["offset"]` is the mark's place in the paragraph's source.
    """
    md.inline.ruler.before("escape", "dialect_role", _role)


def _role(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] != ":":
        return False
    match = _ROLE.match(state.src, state.pos, state.posMax)
    if not match:
        return False
    if not silent:
        name = match[1]
        token = state.push("myst_role" if name in ROLES else "dialect_text", "", 0)
        is_known = name in ROLES or name == VALUE_MARK
        token.content = match[2].strip() if is_known else match[0]
        token.meta = {"offset": state.pos, "dialect": name}
        token.meta |= {"name": ROLES[name]} if name in ROLES else {} if is_known else {"misplaced": name}
    state.pos = match.end()
    return True
