"""Random pages out of pieces that are valid in the dialect, the same ones for the same seed."""

from __future__ import annotations

import random

__all__ = ["TABS", "random_page"]

TABS = ("pytorch", "mxnet", "jax", "tensorflow")

_PROSE = (
    "# 見出し\n:label:`sec_random`",
    "## A heading",
    "一行だけの段落である。",
    "二行にわたる、\n段落である。",
    "A paragraph with `code`, $x^2$ and **bold** words.",
    "文中の:numref:`sec_random`と:cite:`Someone.2020`を読む。",
    "* an item\n* another item\n  that goes on",
    "1. 第一に\n1. 第二に\n   ```python\n   indented = True\n   ```\n1. 第三に",
    "* item\n\n  ```\n  fence in a list\n  ```",
    "$$\ny = w x + b\n$$\n:eqlabel:`eq_random`",
    "$$y = 1$$",
    "<!-- a comment\n\nover several lines -->",
    "<details><summary>解答例</summary>",
    "</details>",
    "![図である。](img/a.svg)\n:width:`400px`\n:label:`fig_random`",
    ": 表である。\n\n| a | b |\n|---|---|\n| 1 | 2 |\n:label:`tab_random`",
    "[**まとめの文である。**] (**続きである。**)",
    "　字下げした段落である。",
    "---",
    "trailing blanks   ",
    "[Discussions](https://discuss.d2l.ai/t/1)",
)

_FENCED = (
    "```python\nx = 1\n```",
    "``` python\nx = 1\n```",
    "```\nplain\n```",
    "```\n\nblank lines around\n\n```",
    "```toc\n:maxdepth: 2\n\na\nb\n```",
    "```eval_rst\n.. note::\n\n   text\n```",
    "~~~\ntilde\n~~~",
    "~~~python\ntilde = 1\n\n~~~",
    "~~~\n```python\ninside = 1\n```\n~~~",
    "````\n```{.python .input}\nnested = 1\n```\n````",
    "````markdown\n```\nnested\n```\n\n````",
    "```{.python}\nno_input = 1\n```",
)

_CODE = (
    "import os\nimport abc",
    "from collections import (OrderedDict,\n    abc)",
    "x = 1",
    "x = 1\n\n\ny = 2",
    "\nx = 'blank lines around'\n",
    "def f(x):  #@save\n    return x   ",
    "class A:\n    def f(self):\n\n        return 1",
    "%matplotlib inline\nprint('日本語')",
    "#@hide_code\nx = 1",
    "s = '''\n~~~\n'''",
    "",
    "  indented = 1",
    ":numref:`x`",
)

_BRANCHES = (
    "if tab.selected('pytorch'):\n    a = 1\nif tab.selected('jax', 'mxnet'):\n    a = 2\nb = a",
    "def f():\n    if tab.selected('tensorflow'):\n        x = 1\n        if x:\n            x = 2\n    return x",
    'for i in range(2):\n    x = i\n    if tab.selected("mxnet"):\n        print(i)\n\n        print(2)\n\nend = 1',
    "if tab.selected(['pytorch', 'jax']):\n    a = 1\n\n\nb = 2",
    "if d2l.USE_PYTORCH:\n    a = 1\nif d2l.USE_JAX:\n    a = 2",
)


def random_page(chance: random.Random, tabs: tuple[str, ...] = TABS) -> str:
    """Return a page of up to 14 pieces with up to three blank lines between them."""
    pieces = [_piece(chance, tabs) for _ in range(chance.randrange(1, 15))]
    return "".join(piece + "\n" * chance.randrange(2, 5) for piece in pieces)


def _piece(chance: random.Random, tabs: tuple[str, ...]) -> str:
    kind = chance.randrange(10)
    if kind < 3:
        return chance.choice(_PROSE)
    if kind < 5:
        return chance.choice(_FENCED)
    if kind < 8 or not tabs:
        return _cell(chance, tabs)
    return "\n".join(_block(chance, tabs) for _ in range(chance.choice((1, 1, 2, 3))))


def _cell(chance: random.Random, tabs: tuple[str, ...]) -> str:
    language = chance.choice(("python", "python", "python", "bash", "r"))
    number = chance.choice(("", "", " n=3", "  n=12"))
    code = chance.choice(_CODE + (_BRANCHES if tabs == TABS else ()))
    mark = chance.choice(("", "%%tab {}\n", "%%tab {}\n", "# @tab {}\n", "#@tab {}\n")) if tabs else ""
    body = mark.format(_names(chance, tabs)) + code
    fence = chance.choice(("```", "```", "```", "````", "~~~")) if "~~~" not in code else "```"
    return f"{fence}{chance.choice(('', ' '))}{{.{language} .input{number}}}\n{body}\n{fence}"


def _names(chance: random.Random, tabs: tuple[str, ...]) -> str:
    if not tabs or chance.random() < 0.3:
        return "all"
    return chance.choice((", ", ",")).join(chance.sample(tabs, chance.randrange(1, len(tabs) + 1)))


def _block(chance: random.Random, tabs: tuple[str, ...]) -> str:
    names = ", ".join(chance.sample(tabs, chance.randrange(1, 3)))
    parts = [chance.choice(_PROSE + _FENCED) for _ in range(chance.randrange(1, 4))]
    blank = "\n" * chance.randrange(1, 3)
    return f":begin_tab:`{names}`{blank}{(chr(10) * 2).join(parts)}{blank}:end_tab:" + "\n" * chance.randrange(3)
