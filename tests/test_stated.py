"""Values in prose against the outputs that they are taken from."""

from __future__ import annotations

from pathlib import Path

import pytest

from books_for_tests import TinyBook, cell, tiny_book
from tabbook.errors import as_text
from tabbook.execute.store import Record
from tabbook.notebook import code_source
from tabbook.pages import find_pages
from tabbook.stated import contradictions, holds

PAGE = f"""\
# 頁

{cell("x = 1")}
{cell("print(7946, 0.2513)", "pytorch")}
{cell("print(7946, 0.2617)", "jax")}

前の段落である。

和は:output:`7,946`であり、
値は:output:`0.25`である。

:begin_tab:`jax`
JAXでは:output:`0.26`である。
:end_tab:
"""


@pytest.fixture
def book(tmp_path: Path) -> TinyBook:
    return tiny_book(tmp_path, {"index": PAGE})


def executed(book: TinyBook, **texts: str) -> str:
    """Store what the frameworks' last cells print, as if the page had been executed; return what is found."""
    for framework, text in texts.items():
        *others, last = (code_source(one) for _, one in book.selection("index", framework).code)
        shown = [{"output_type": "stream", "name": "stdout", "text": text}]
        record = Record((*((source, []) for source in others), (last, shown)), {})
        book.store.save(book.key("index", framework), record)
    return as_text(contradictions(book.config, book.store, find_pages(book.config)))


def test_values_that_the_outputs_have(book: TinyBook) -> None:
    """A value may be rounded and may have commas; what is for one framework is compared with its output alone."""
    assert executed(book, pytorch="7946 0.2513\n", jax="7946 0.2545 0.2617\n") == ""


def test_a_value_that_an_output_contradicts(book: TinyBook) -> None:
    """The line of the value, the frameworks whose output has it not, and that output are told."""
    assert executed(book, pytorch="7946 0.2513\n", jax="7946 0.2617\n") == (
        "docs/index.md:22: error: `0.25` is not in the output before it (JAX). [contradicts-output]\n"
        "    hint: the output is: 7946 0.2617"
    )


def test_without_outputs_nothing_is_said(book: TinyBook) -> None:
    """A page that was not executed, or was changed since, is left alone, framework by framework."""
    assert executed(book) == ""
    executed(book, pytorch="1\n", jax="1\n")
    book.edit("docs/index.md", "x = 1", "x = 2")
    assert executed(book) == ""


def test_no_output_stands_before(tmp_path: Path) -> None:
    """A value before which no cell shows anything is told too."""
    book = tiny_book(tmp_path, {"index": f"# 頁\n\n値は:output:`3`である。\n\n{cell('print(3)', 'pytorch')}"})
    assert executed(book, pytorch="3\n").split("\n    ") == [
        "docs/index.md:3: error: `3` is not in the output before it (PyTorch). [contradicts-output]",
        "hint: no cell before it shows any",
    ]


@pytest.mark.parametrize(
    ("text", "value", "is_held"),
    [
        ("tensor([1., 2.])", "2", True),
        ("tensor([12.5])", "2", False),
        ("layers_2", "2", False),
        ("1e-06", "0.000001", True),
        ("-0.5", "−0.5", True),
        ("-0.5", "0.5", False),
        ("0.249", "0.2", True),
        ("2.4", "2", False),
        ("torch.float32", "float32", True),
        ("", "3", False),
        ("nan", "nan", True),
    ],
)
def test_what_a_text_holds(text: str, value: str, is_held: bool) -> None:
    """Whole numbers are equal or not; decimals may be rounded; words stand as they are."""
    assert holds(text, value) is is_held
