"""What is said of a whole book's prose: its register, its glossary, its headings. The rules' fixtures are snippets."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from books_for_tests import tiny_book
from cases import read_cases
from conftest import REPOSITORY
from tabbook.check import check_book
from tabbook.config import load_config
from tabbook.dialect import read_page
from tabbook.errors import BookError, as_text
from tabbook.pages import find_pages
from tabbook.prose.glossary import Glossary, parse_glossary, read_glossary
from tabbook.prose.passage import passages
from tabbook.prose.plain import plain_text
from tabbook.prose.rules import HouseStyle, prose_findings
from tabbook.prose.syllabary import syllabary_key

CONFIG = "[project]\nlang = ja\n[build]\ntabs = pytorch, jax\n"
HEADER = "term,pattern,translation,reading,forbidden,scope,note\n"


def letters(folder: Path, files: dict[str, str]) -> str:
    """Write a Japanese book's files and return what is found in it."""
    for name, content in {"config.ini": CONFIG, "index.md": "# 目次\n", **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    config = load_config(folder)
    return as_text(check_book(config, find_pages(config)))


def first_lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line and not line.startswith(" ")]


def test_a_book_in_another_language_is_left_alone(tmp_path: Path) -> None:
    """The rules are for Japanese books only."""
    page = "# 頁\n\nこれは レイヤーです。これは層である。**閉じない。\n"
    files = {
        "config.ini": CONFIG.replace("ja", "en"),
        "terms.csv": HEADER + "layer,,層,そう,レイヤー,,\n",
        "a.md": page,
    }
    assert letters(tmp_path, files) == ""


def test_the_register_of_most_sentences_is_the_books(tmp_path: Path) -> None:
    """Without `register`, the sentences of all pages decide; the others are told."""
    files = {"a.md": "# 頁\n\nこれを使います。値は0です。\n", "b.md": "# 別\n\nこれは層である。値です。\n"}
    assert first_lines(letters(tmp_path, files)) == [
        "b.md:3: error: `である` is plain; this book is written in です・ます. [mixed-register]"
    ]


def test_the_register_that_the_book_names(tmp_path: Path) -> None:
    """`register` decides against the number of sentences."""
    files = {"config.ini": CONFIG + "[tabbook]\nregister = da\n", "a.md": "# 頁\n\n値は0です。値は1です。\n"}
    assert len(first_lines(letters(tmp_path, files))) == 2
    with pytest.raises(BookError, match="`register = desu` under \\[tabbook\\] is none"):
        letters(tmp_path, {"config.ini": CONFIG + "[tabbook]\nregister = desu\n"})


def test_scope_of_a_term(tmp_path: Path) -> None:
    """A word is forbidden on the pages of its term's scope, paths being counted from the source folder."""
    files = {
        "config.ini": CONFIG + "source_dir = docs\n",
        "docs/index.md": "# 目次\n",
        "docs/terms.csv": HEADER + "shape,,形状,けいじょう,形,nn/*,「形」は図形のこと\n",
        "docs/nn/a.md": "# 頁\n\n形を見る。\n",
        "docs/b.md": "# 頁\n\n形を見る。\n",
    }
    assert letters(tmp_path, files) == (
        "docs/nn/a.md:3: error: `形` is not this book's word for shape. [forbidden-term]\n"
        "    hint: write `形状` (「形」は図形のこと); see docs/terms.csv:2"
    )


def test_terminology_names_the_glossary(tmp_path: Path) -> None:
    """`terminology` names another file; one that is not there is told, one that is no CSV is another tool's."""
    config = CONFIG + "[translation]\nterminology = words.csv\n"
    files = {"config.ini": config, "words.csv": HEADER + "layer,,層,そう,レイヤー,,\n", "a.md": "# 頁\n\nレイヤー\n"}
    assert first_lines(letters(tmp_path, files)) == [
        "a.md:3: error: `レイヤー` is not this book's word for layer. [forbidden-term]"
    ]
    (tmp_path / "words.csv").unlink()
    assert letters(tmp_path, {"config.ini": config}).startswith("words.csv:1: error: The glossary cannot be read: ")
    assert letters(tmp_path, {"config.ini": config.replace("words.csv", "d2l")}) == ""


def test_what_is_wrong_with_a_glossary() -> None:
    """Each defect of the glossary's own file is told on its line."""
    rows = [
        "layer,layers?,層,そう,レイヤー,,",
        "unit,(,ユニット,ユニット,,,",
        "weight,mass,重み,おもみ,,,",
        "bias,,,,,,",
        "axis,,軸,じく",
        "stratum,,地層,ちそう,層,,",
    ]
    found = parse_glossary(HEADER + "\n".join(rows) + "\n", "terms.csv").diagnostics
    assert first_lines(as_text(sorted(found))) == [
        "terms.csv:3: error: The pattern ( is none: missing ), unterminated subpattern at position 0. [glossary]",
        "terms.csv:4: error: The pattern mass does not find its own term, weight. [glossary]",
        "terms.csv:5: error: Term, translation or reading is empty. [glossary]",
        "terms.csv:6: error: The line has 4 columns instead of 7. [glossary]",
        "terms.csv:7: error: `層` is forbidden here and is the translation of layer on line 2. [glossary]",
    ]
    header = parse_glossary("term,translation\n", "terms.csv").diagnostics
    assert first_lines(as_text(header)) == [
        "terms.csv:1: error: The first line is not term,pattern,translation,reading,forbidden,scope,note. [glossary]"
    ]


def test_the_books_glossary_is_sound() -> None:
    """docs/terms.csv has no finding, at least 60 terms, and readings in kana."""
    glossary = read_glossary(load_config(REPOSITORY))
    assert glossary is not None
    assert glossary.diagnostics == ()
    assert len(glossary.terms) >= 60
    assert [term.reading for term in glossary.terms if not re.fullmatch(r"[ぁ-ゖァ-ヺー0-9.]+", term.reading)] == []


def test_order_of_the_syllabary() -> None:
    """Length marks count as the vowel before them; voiced and small kana follow their plain ones."""
    ordered = ["あお", "い", "カード", "かい", "かいぎ", "ガイド", "きやく", "きゃく", "サーバー", "ざい", "ん"]
    mixed = random.Random(1).sample(ordered, len(ordered))
    assert sorted(mixed, key=syllabary_key) == ordered


def test_findings_are_on_lines_of_the_page() -> None:
    """Whatever a page holds, each passage and each finding has a line of the page."""
    style = HouseStyle(Glossary(""), "masu")
    for case in read_cases():
        count = case.source.count("\n") + 1
        document = read_page(case.source, "page.md", case.tabs)
        lines = [passage.line(len(passage.text)) for passage in passages(document)]
        lines += [found.line for found in prose_findings(document, "page", style)]
        assert all(1 <= line <= count for line in lines), case.name


def test_line_of_a_word_in_a_long_paragraph() -> None:
    """Joined lines, formulas, references and code before a word do not shift its line."""
    page = "文で、\n$a\n+ b$と:numref:`x`と\n*強調*と`code`の\nthe word\n値がが重い。\n"
    document = read_page(page, "page.md", ())
    found = prose_findings(document, "page", HouseStyle(Glossary(""), "da"))
    assert [(one.line, one.code) for one in found] == [(6, "doubled-word")]


def test_the_page_of_terms(tmp_path: Path) -> None:
    """The glossary is a table in the order of the syllabary; a change of the file changes the page. A value is text."""
    book = tiny_book(tmp_path, {"index": "# 対訳表\n\n値は:output:`3`である。\n\n```{terms-table}\n```\n"})
    terms = tmp_path / "docs" / "terms.csv"
    terms.write_text(HEADER + "weight,,重み,おもみ,荷重,,\nunit,,*単位*,いち,,,$x$ではない\n", encoding="utf-8")
    assert book.tabbook("html", "--execute", "never").stderr.strip() == ""

    def rows() -> list[list[str]]:
        table = BeautifulSoup(book.html(), "html.parser").select("article table tr")
        return [[cell.get_text().strip() for cell in row.select("th, td")] for row in table]

    header = ["用語（読み）", "英語", "補足"]
    assert "値は3である。" in book.html()
    assert rows() == [header, ["*単位*（いち）", "unit", "$x$ではない"], ["重み（おもみ）", "weight", ""]]
    terms.write_text(HEADER + "weight,,重み,おもみ,荷重,,\n", encoding="utf-8")
    book.tabbook("html", "--execute", "never")
    assert rows() == [header, ["重み（おもみ）", "weight", ""]]


SEEDS = {
    "forbidden-term": "値を学習で求める。",
    "mixed-register": "値を使います。",
    "impossible-form": "ここから値が見れる。",
    "doubled-word": "層のの重みを見る。",
    "unclosed-emphasis": "これは**重要である。",
    "full-width-letter": "層は２つある。",
    "half-width-kana": "これはﾃﾝｿﾙである。",
    "half-width-brackets": "重み(weight)を見る。",
    "half-width-sign": "層,重みを見る。",
    "manual-space": "これは PyTorchである。",
    "full-width-space": "これは\u3000層である。",
    "missing-cell": "```{.python .input}\n%%tab jax\nx = 1\n```",
    "save-missing": "```{.python .input}\n%%tab all\ndef none():  #@save\n    return 1\n```",
}


def test_the_book_is_clean() -> None:
    """Nothing is found in the real book."""
    config = load_config(REPOSITORY)
    assert as_text(check_book(config, find_pages(config))) == ""


@pytest.mark.parametrize(("code", "seed"), SEEDS.items(), ids=SEEDS.keys())
def test_a_seeded_page_has_exactly_that_finding(code: str, seed: str, tmp_path: Path) -> None:
    """A real page into which one defect is put has one finding, on the line of the defect."""
    page = (REPOSITORY / "docs" / "chapter_builders-guide" / "custom-layer.md").read_text(encoding="utf-8")
    before, mark, behind = page.partition("## まとめ\n")
    (tmp_path / "config.ini").write_text(
        "[project]\nlang = ja\n[build]\ntabs = pytorch, mxnet, jax, tensorflow\nnotebooks = a.md\nindex = a\n"
        f"[tabbook]\nlibrary = {REPOSITORY / 'src' / 'd2l'}\n"
        f"[translation]\nterminology = {REPOSITORY / 'docs' / 'terms.csv'}\n",
        encoding="utf-8",
    )
    (tmp_path / "a.md").write_text(f"{before}{seed}\n\n{mark}{behind}", encoding="utf-8")
    config = load_config(tmp_path)
    first, elsewhere = before.count("\n") + 1, ("unknown-label", "missing-file")  # the rest of the book is not here
    found = {(one.code, one.line - first) for one in check_book(config, [tmp_path / "a.md"])}
    lines = {code for code, _ in found} - set(elsewhere)
    assert lines == {code}
    assert all(0 <= line <= seed.count("\n") for name, line in found if name == code)


def test_plain_text_keeps_the_lines() -> None:
    """What other tools read has each sentence on the page's own line, and no code, formula, mark or HTML."""
    page = "# 見出し\n:label:`sec_a`\n\n**値**は`x`で、\n次の:numref:`sec_a`の$y$である。\n\n"
    page += "```{.python .input}\nx\n```\n\n- 項\n"
    assert plain_text(read_page(page, "page.md", ())) == "見出し\n\n\n値はXで、\n次のXのXである。\n\n\n\n\n\n項\n"
