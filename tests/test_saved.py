"""Code that pages mark with `#@save` against the companion library."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import REPOSITORY
from tabbook.check import check_book
from tabbook.config import load_config
from tabbook.errors import as_text
from tabbook.pages import find_pages

LIBRARY = '''"""The library."""
import torch


def cpu() -> torch.device:
    """Return the CPU.

    In many words.
    """
    return torch.device("cpu")


def total(x, axis=None):
    return torch.sum(
        numpy(x),
        dim=axis,
    )


class Net:
    """A network."""

    def forward(self, X):
        return X


limit = 3
'''


def letters(folder: Path, cell: str, library: str = LIBRARY) -> str:
    """Return what is found in a book whose page has one cell, for pytorch."""
    page = f"# 頁\n\n```{{.python .input}}\n{cell}```\n"
    files = {
        "config.ini": "[build]\ntabs = pytorch, jax\n",
        "index.md": "# 目次\n",
        "a.md": page,
        "src/d2l/torch.py": library,
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    config = load_config(folder)
    return as_text(check_book(config, find_pages(config)))


TOTAL = "def total(x, axis=None):\n    return torch.sum(d2l.numpy(x), dim=axis)\n"

EQUAL = {
    "behind the definition": "def cpu() -> torch.device:  #@save\n    return torch.device('cpu')\n",
    "above the definition": "#@save\ndef cpu() -> torch.device:\n    '''Other.'''\n    return torch.device('cpu')\n",
    "with the tab mark": "%%tab pytorch\n#@save\n" + TOTAL,
    "within a class": "class Net:\n    def forward(self, X):  #@save\n        return X\n",
    "for a method": "@d2l.add_to_class(Net)  #@save\ndef forward(self, X):\n    return X\n",
    "for a value": "limit = 3  #@save\n",
    "for an import": "import torch  #@save\n",
    "without a mark": "def cpu():\n    return 1\n",
    "in a string": "x = '#@save'\n",
}


@pytest.mark.parametrize("cell", EQUAL.values(), ids=EQUAL.keys())
def test_equal_code(tmp_path: Path, cell: str) -> None:
    """Wherever the mark stands, docstrings, quotes, layout and `d2l.` make no difference."""
    assert letters(tmp_path, cell) == ""


def test_difference_is_shown(tmp_path: Path) -> None:
    """What differs is shown as a difference, with its place in the page and in the library."""
    cell = "%%tab pytorch\nx = 1\n\ndef total(x, axis=0):  #@save\n    return torch.sum(numpy(x), dim=axis)\n"
    assert letters(tmp_path, cell) == (
        "a.md:7: error: `total` is not what src/d2l/torch.py:13 has. [save-differs]\n"
        "    --- a.md:7\n"
        "    +++ src/d2l/torch.py:13\n"
        "    @@ -1,2 +1,2 @@\n"
        "    -def total(x, axis=0):\n"
        "    +def total(x, axis=None):\n"
        "         return torch.sum(numpy(x), dim=axis)\n"
        "    hint: make the two equal; docstrings and layout may differ"
    )


def test_method_that_differs(tmp_path: Path) -> None:
    """A method that is added to a class is compared with the method of that class."""
    found = letters(tmp_path, "@d2l.add_to_class(Net)  #@save\ndef forward(self, X):\n    return -X\n")
    assert found.startswith("a.md:4: error: `Net.forward` is not what src/d2l/torch.py:23 has. [save-differs]\n")


def test_missing_from_the_library(tmp_path: Path) -> None:
    """A definition that the library lacks is told."""
    assert letters(tmp_path, "def gpu():  #@save\n    return 1\n") == (
        "a.md:4: error: `gpu` is marked with #@save and is not in src/d2l/torch.py. [save-missing]\n"
        "    hint: add it to the library, for every framework, or remove the mark"
    )


def test_library_that_is_no_python(tmp_path: Path) -> None:
    """A library with a syntax error is told on its own line."""
    found = letters(tmp_path, "def cpu():  #@save\n    return 1\n", "import torch\n\ndef (:\n")
    assert found.startswith("src/d2l/torch.py:3: error: The library cannot be read: invalid syntax. [library-syntax]")


def test_cell_for_several_frameworks(tmp_path: Path) -> None:
    """A cell for all is compared with each framework's module, and its line is found behind branches."""
    (tmp_path / "src" / "d2l").mkdir(parents=True)
    (tmp_path / "src" / "d2l" / "jax.py").write_text("def f(x):\n    return x + 1\n", encoding="utf-8")
    cell = (
        "%%tab pytorch, jax\nif tab.selected('jax'):\n    y = 1\nif tab.selected('pytorch'):\n    y = 2\n\n"
        "def f(x):  #@save\n    return x\n"
    )
    found = letters(tmp_path, cell).split("\n")
    assert [line for line in found if not line.startswith(" ")] == [
        "a.md:10: error: `f` is not what src/d2l/jax.py:1 has. [save-differs]",
        "a.md:10: error: `f` is marked with #@save and is not in src/d2l/torch.py. [save-missing]",
    ]


def test_the_books_saved_code_is_in_its_library() -> None:
    """The real book has marked cells, and the check finds a function that was changed in one place only."""
    config = load_config(REPOSITORY)
    pages = [page for page in find_pages(config) if "#@save" in page.read_text(encoding="utf-8")]
    assert pages
    assert [found for found in check_book(config, pages) if found.code.startswith(("save", "library"))] == []
