"""The companion library's reference: made from the modules' sources, switched like every page, linked from code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from bs4.element import Tag

from books_for_tests import TinyBook, cell, tiny_book
from tabbook.errors import BookError
from tabbook.reference import Entry, Part, merge_entries, read_module

TORCH = '''\
"""For readers of PyTorch."""

raise ImportError("nobody may import this")

__all__ = ["zeros", "cpu"]


def zeros(shape: tuple[int, ...]) -> Tensor:
    """すべての要素が0の``Tensor``を
    作る。

    Args:
        shape: 形状。

    Returns:
        形状が``shape``のテンソル。

    Raises:
        RuntimeError: 負の数がある。
    """
    return torch.zeros(shape)


def cpu() -> str:
    """CPUを返す。"""
    return "cpu"


def hidden() -> None:
    """Nobody sees this."""
'''
JAX = (
    TORCH.replace("torch", "jnp")
    .replace("RuntimeError", "TypeError")
    .replace('["zeros", "cpu"]', '["zeros", "cpu", "get_key"]')
    + '\n\ndef get_key() -> Tensor:\n    """キーを返す。"""\n    return key\n'
)
REFERENCE = """\
# 一覧
:label:`chap_api`

```{library-reference}
```
"""
PAGE = f"""\
# 小さなページ

`d2l.cpu()`を使う。`d2l.cpu`でもよい。`d2l.hidden`は使わない。

{cell("X = d2l.zeros((2, d2l.nothing))")}
{cell("framework = 'torch'", "pytorch")}
"""


def library_book(root: Path, torch: str = TORCH, jax: str = JAX) -> TinyBook:
    book = tiny_book(root, {"index": PAGE, "api": REFERENCE})
    package = root / "src" / "d2l"
    package.mkdir(parents=True)
    (package / "torch.py").write_text(torch, encoding="utf-8")
    (package / "jax.py").write_text(jax, encoding="utf-8")
    return book


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> TinyBook:
    book = library_book(tmp_path_factory.mktemp("library"))
    done = book.tabbook("html", "--execute", "never")
    assert "WARNING" not in done.stderr
    return book


def soup(book: TinyBook, page: str, framework: str | None = None) -> Tag:
    article = BeautifulSoup(book.html(page), "html.parser").select_one("article")
    assert article is not None
    for panel in article.select(".framework-panel") if framework else []:
        if framework not in str(panel["data-framework"]).split():
            panel.decompose()
    return article


def test_each_public_name_is_a_section_with_a_permanent_id(book: TinyBook) -> None:
    """The sections stand in the order of `__all__`, and what only one framework has says so."""
    sections = soup(book, "api").select("section section")
    assert [section["id"] for section in sections] == ["d2l-zeros", "d2l-cpu", "d2l-get-key"]
    titles = [heading.get_text().rstrip("¶") for heading in soup(book, "api").select("section section > h2")]
    assert titles == ["d2l.zeros", "d2l.cpu", "d2l.get_key"]
    assert "JAXだけにある。" in sections[2].get_text()
    assert "だけにある" not in sections[0].get_text()


@pytest.mark.parametrize(
    ("framework", "call", "error"), [("pytorch", "torch", "RuntimeError"), ("jax", "jnp", "TypeError")]
)
def test_a_reader_sees_the_own_frameworks_function(book: TinyBook, framework: str, call: str, error: str) -> None:
    """Code without its docstring, the text in Markdown and on joined lines, arguments, result and exceptions."""
    zeros = soup(book, "api", framework).select_one("#d2l-zeros")
    assert zeros is not None
    code = zeros.select_one("pre")
    assert code is not None
    assert code.get_text() == f"def zeros(shape: tuple[int, ...]) -> Tensor:\n    return {call}.zeros(shape)\n"
    text = re.sub(r"\s*\n\s*", "\n", zeros.get_text())
    assert "すべての要素が0のTensorを作る。" in text
    assert re.search(rf"引数\nshape形状。\n戻り値\n形状がshapeのテンソル。\n.*\n例外\n{error}負の数がある。", text), (
        text
    )


def test_what_is_the_same_in_all_frameworks_stands_once(book: TinyBook) -> None:
    article = soup(book, "api")
    assert article.select_one("fieldset.framework-switch")
    cpu = article.select_one("#d2l-cpu")
    assert cpu is not None
    assert not cpu.select(".framework-panel")
    zeros = article.select_one("#d2l-zeros")
    assert zeros is not None
    assert zeros.get_text().count("形状がshapeのテンソル。") == 1


def test_names_in_prose_and_code_are_links(book: TinyBook) -> None:
    """`d2l.cpu` and `d2l.cpu()` in a sentence, `d2l.zeros` in a cell; names that are not public stay as they are."""
    links = [(link.get_text(), link["href"]) for link in soup(book, "index").select("p a, pre a")]
    assert links == [
        ("d2l.cpu()", "api.html#d2l-cpu"),
        ("d2l.cpu", "api.html#d2l-cpu"),
        ("d2l.zeros", "api.html#d2l-zeros"),
    ]
    code = soup(book, "index").select_one(".cell_input pre")
    assert code is not None
    assert code.get_text() == "X = d2l.zeros((2, d2l.nothing))\n"


def test_names_are_found_by_the_search(book: TinyBook) -> None:
    """The index holds them as objects and as titles."""
    index = (book.root / "_build" / "html" / "searchindex.js").read_text(encoding="utf-8")
    found = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))
    assert {entry[4] for entry in found["objects"]["d2l"]} == {"zeros", "cpu", "get_key"}
    assert "d2l.get_key" in found["alltitles"]


def test_a_changed_docstring_changes_the_page(tmp_path: Path) -> None:
    """And where the book says where its library can be read, each entry leads there."""
    book = library_book(tmp_path)
    book.tabbook("html", "--execute", "never")
    book.edit("src/d2l/jax.py", "キーを返す。", "新しいキーを返す。")
    with (tmp_path / "config.ini").open("a", encoding="utf-8") as config:
        config.write("\n[tabbook]\nsource_url = https://example.org/{path}#L{line}\n")
    book.tabbook("html", "--execute", "never")
    article = soup(book, "api", "jax")
    assert "新しいキーを返す。" in article.get_text()
    line = JAX[: JAX.index("def get_key")].count("\n") + 1
    assert [link["href"] for link in article.select('a[href^="https:"]')][
        -1
    ] == f"https://example.org/src/d2l/jax.py#L{line}"


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("x = 1\n", "no `__all__`"),
        ('__all__ = ["cpu"]\n', "`__all__` names cpu, which the module does not define"),
        ('__all__ = ["cpu"]\nfrom os import cpu\n', "`__all__` names cpu"),
        ("def (\n", "torch.py:1: error: invalid syntax"),
        (
            '__all__ = ["f"]\ndef f():\n    """F.\n\n    Examples:\n        >>> f()\n    """\n',
            "the section `examples` of f's",
        ),
    ],
    ids=["no __all__", "unknown name", "imported name", "no Python", "unknown section"],
)
def test_what_is_wrong_with_a_module_is_said(tmp_path: Path, module: str, message: str) -> None:
    path = tmp_path / "torch.py"
    path.write_text(module, encoding="utf-8")
    with pytest.raises(BookError) as error:
        read_module(path, "d2l.torch")
    assert message in str(error.value)


def test_the_build_says_what_is_wrong_with_the_library(tmp_path: Path) -> None:
    """The page and its line are named, and why there is no reference."""
    book = library_book(tmp_path, torch="x = 1\n")
    done = book.tabbook("html", "--execute", "never", status=None)
    assert re.search(r"api\.md:4: ERROR: .*torch\.py: error: no `__all__`", done.stderr), done.stderr


def test_long_code_is_shown_by_its_first_lines(tmp_path: Path) -> None:
    path = tmp_path / "torch.py"
    lines = "\n".join(f"    x += {n}" for n in range(20))
    path.write_text(f'__all__ = ["f", "g", "N"]\nN = 3\ndef f(\n    x,\n):\n    """F."""\n{lines}\ndef g(): return 1\n')
    entries = read_module(path, "d2l.torch")
    assert entries["f"].parts == (Part("code", "def f(\n    x,\n):"), Part("text", "F."))
    assert entries["g"].parts == (Part("code", "def g(): return 1"),)
    assert (entries["N"].kind, entries["N"].parts) == ("attribute", (Part("code", "N = 3"),))


def test_equal_parts_share_a_variant() -> None:
    """Two of three frameworks with the same code share it; the text that all have stands for all."""
    text = Part("text", "同じ。")
    entries = {
        name: Entry("f", "function", 1, (Part("code", code), text)) for name, code in zip("abc", "xyx", strict=True)
    }
    variants = [(found.tabs, found.parts) for found in merge_entries(entries, ("a", "b", "c"))]
    assert variants == [(("a", "c"), (Part("code", "x"),)), (("b",), (Part("code", "y"),)), ((), (text,))]
    del entries["c"]
    assert [found.tabs for found in merge_entries(entries, ("a", "b", "c"))] == [("a",), ("b",)]


def test_the_books_own_library_can_be_read() -> None:
    """Each function of each module has text, and says what it takes and returns."""
    package = Path(__file__).parent.parent / "src" / "d2l"
    for path in sorted(package.glob("[a-z]*.py")):
        for entry in read_module(path, f"d2l.{path.stem}").values():
            kinds = {part.kind for part in entry.parts}
            takes = "()" not in entry.parts[0].text.split("->", maxsplit=1)[0]
            assert {"code", "text", "returns"} <= kinds, f"{path.name}: {entry.name}"
            assert takes == ("parameters" in kinds), f"{path.name}: {entry.name}"
