"""Frameworks' notebooks merged into one page: what all readers share stands once, the rest in panels."""

# ruff: noqa: E501 - in the tables of cases a case is a line

from __future__ import annotations

from typing import Any

import pytest

from tabbook.dialect import read_page
from tabbook.merge import Group, Shown, merge
from tabbook.select import select

TABS = ("pytorch", "mxnet", "jax")


def fence(*lines: str) -> str:
    return "\n".join(["```{.python .input}", *lines, "```", ""])


def merged(page: str, outputs: dict[str, dict[int, str]] | None = None, notices: dict[str, str] | None = None) -> str:
    """Merge a page, and return the result in words: a line a cell, panels indented under their frameworks."""
    document = read_page(page, "page.md", TABS)
    assert not document.diagnostics, document.diagnostics
    given = {
        tab: {at: [{"output_type": "stream", "name": "stdout", "text": text}] for at, text in texts.items()}
        for tab, texts in (outputs or {}).items()
    }
    selections = {tab: select(document, tab, TABS) for tab in TABS}
    notebooks = {tab: (selection, given.get(tab, {})) for tab, selection in selections.items() if selection}
    lines: list[str] = []
    for item in merge(document, notebooks, notices):
        if isinstance(item, Group):
            for panel in item.panels:
                lines.append(", ".join(panel.tabs) + ":")
                lines += [f"  {_words(cell)}" for cell in panel.cells]
        else:
            lines.append(_words(item))
    return "\n".join(lines)


def _words(shown: Shown) -> str:
    source = shown.source.strip().replace("\n", "|")
    words = f"code {source or '(hidden)'}" if shown.is_code else f"text {source}"
    words += "".join(f" => {output['text']}" for output in shown.outputs)
    return words + (f" ({shown.notice})" if shown.notice else "")


ONE_EACH = fence("%%tab pytorch", "t") + fence("%%tab mxnet", "m") + fence("%%tab jax", "j")

CASES: dict[str, tuple[str, Any, str]] = {
    "text alone stands once": ("# A\n\nb\n", {}, "text # A||b"),
    "identical cells without outputs stand once": (ONE_EACH + "a\n\n" + fence("%%tab all", "x"), {}, "pytorch:\n  code t\nmxnet:\n  code m\njax:\n  code j\ntext a\ncode x"),
    "identical cells with identical outputs stand once": (
        ONE_EACH + "a\n\n" + fence("%%tab all", "x"),
        {tab: {4: "1"} for tab in TABS},
        "pytorch:\n  code t\nmxnet:\n  code m\njax:\n  code j\ntext a\ncode x => 1",
    ),
    "identical code with different outputs is tabbed": (
        fence("%%tab pytorch, mxnet, jax", "x"),
        {"pytorch": {0: "1"}, "mxnet": {0: "2"}, "jax": {0: "3"}},
        "pytorch:\n  code x => 1\nmxnet:\n  code x => 2\njax:\n  code x => 3",
    ),
    "frameworks with the same code and outputs share a panel": (
        fence("%%tab pytorch, mxnet, jax", "x"),
        {"pytorch": {0: "1"}, "mxnet": {0: "2"}, "jax": {0: "1"}},
        "pytorch, jax:\n  code x => 1\nmxnet:\n  code x => 2",
    ),
    "a cell that some frameworks lack is tabbed": (
        fence("%%tab pytorch, jax", "x") + fence("%%tab mxnet", "y"),
        {},
        "pytorch, jax:\n  code x\nmxnet:\n  code y",
    ),
    "a cell of one framework alone leaves the others without a panel": (
        ONE_EACH + "a\n\n" + fence("%%tab jax", "x"),
        {},
        "pytorch:\n  code t\nmxnet:\n  code m\njax:\n  code j\ntext a\njax:\n  code x",
    ),
    "cells without outputs are joined by a blank line": (
        fence("%%tab pytorch", "a") + fence("%%tab pytorch", "b") + fence("%%tab mxnet, jax", "c"),
        {},
        "pytorch:\n  code a||b\nmxnet, jax:\n  code c",
    ),
    "a cell with outputs ends the joining": (
        fence("%%tab pytorch", "a") + fence("%%tab pytorch", "b") + fence("%%tab pytorch", "c") + fence("%%tab mxnet, jax", "d"),
        {"pytorch": {1: "1"}},
        "pytorch:\n  code a||b => 1\n  code c\nmxnet, jax:\n  code d",
    ),
    "text between cells ends the joining": (
        fence("%%tab pytorch", "a") + "text\n\n" + fence("%%tab pytorch", "b") + fence("%%tab mxnet, jax", "c"),
        {},
        "pytorch:\n  code a\ntext text\npytorch:\n  code b\nmxnet, jax:\n  code c",
    ),
    "branches make different cells": (
        fence("%%tab pytorch, mxnet, jax", "if tab.selected('jax'):", "    a", "if tab.selected('pytorch', 'mxnet'):", "    b"),
        {},
        "pytorch, mxnet:\n  code b\njax:\n  code a",
    ),
    "text blocks stand in their frameworks' panel": (
        ONE_EACH + "\n:begin_tab:`jax, mxnet`\n\nfor two\n\n:end_tab:\n\nfor all\n",
        {},
        "pytorch:\n  code t\nmxnet:\n  code m\n  text for two\njax:\n  code j\n  text for two\ntext for all",
    ),
    "text blocks of a page without code are panels": (
        "a\n\n:begin_tab:`jax`\n\nb\n\n:end_tab:\n\n:begin_tab:`pytorch, mxnet`\n\nc\n\n:end_tab:\n",
        {},
        "text a\npytorch, mxnet:\n  text c\njax:\n  text b",
    ),
    "a text block for all is shared": (ONE_EACH + "\n:begin_tab:`all`\n\nx\n\n:end_tab:\n", {}, "pytorch:\n  code t\nmxnet:\n  code m\njax:\n  code j\ntext x"),
    "hidden code without outputs is not there": (fence("%%tab pytorch, mxnet, jax", "# hide code", "x"), {}, ""),
    "hidden code leaves its outputs": (
        fence("%%tab pytorch, mxnet, jax", "# hide code", "x"),
        {tab: {0: "1"} for tab in TABS},
        "code (hidden) => 1",
    ),
    "hidden outputs leave the code": (
        fence("%%tab pytorch, mxnet, jax", "# hide outputs", "x"),
        {"jax": {0: "1"}},
        "code x",
    ),
    "from hide_all on nothing is shown": (
        fence("%%tab pytorch, mxnet, jax", "a") + fence("%%tab jax", "#@hide_all", "b") + "t\n\n" + fence("%%tab pytorch, mxnet, jax", "c"),
        {"jax": {0: "1", 1: "2", 3: "3"}, "pytorch": {0: "1"}, "mxnet": {0: "1"}},
        "code a => 1\ntext t\npytorch, mxnet:\n  code c",
    ),
    "a page without one framework is merged of the others": (
        fence("%%tab pytorch", "a") + fence("%%tab mxnet", "b") + "t\n\n" + fence("%%tab all", "c"),
        {},
        "pytorch:\n  code a\nmxnet:\n  code b\ntext t\ncode c",
    ),
    "a page with one framework alone has no panels": (fence("a") + "t\n\n" + fence("b"), {}, "code a\ntext t\ncode b"),
    "a cell's layout is the author's": (
        fence("%%tab pytorch, mxnet, jax", "import b", "import a", "", "x  = 1"),
        {},
        "code import b|import a||x  = 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_merge(case: str) -> None:
    """Each case's title says what it proves."""
    page, outputs, expected = CASES[case]
    assert merged(page, outputs) == expected


def test_code_whose_outputs_are_missing_in_one_framework_is_not_shared() -> None:
    """The other frameworks' readers are not told that something is missing: their outputs are there."""
    page = fence("%%tab pytorch, mxnet, jax", "x = 1") + "t\n"
    assert merged(page, notices={"jax": "not-executed"}) == (
        "pytorch, mxnet:\n  code x = 1\njax:\n  code x = 1 (not-executed)\ntext t"
    )
    assert merged(page, notices=dict.fromkeys(TABS, "not-executed")) == "code x = 1 (not-executed)\ntext t"


def test_merged_cells_keep_their_place_in_the_page() -> None:
    """Joined cells stand where their first one stands, so warnings name the right line."""
    page = "t\n\n" + fence("%%tab pytorch", "a") + fence("%%tab pytorch", "b") + fence("%%tab mxnet, jax", "c")
    document = read_page(page, "page.md", TABS)
    notebooks = {tab: (select(document, tab, TABS), {}) for tab in TABS}
    _, group = merge(document, notebooks)  # type: ignore[arg-type]
    assert isinstance(group, Group)
    assert [(panel.tabs, panel.cells[0].cell.span.first) for panel in group.panels] == [
        (("pytorch",), 3),
        (("mxnet", "jax"), 11),
    ]
