"""What stands in a page's prose: headings, labels, references, figures, formulas, each with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from markdown_it.token import Token

from tabbook.dialect.grammar import prose_parser
from tabbook.dialect.roles import LINE_MARKS, ROLES, TAB_MARKS, VALUE_MARK
from tabbook.dialect.slides import strip_slide_marks
from tabbook.document import Document, TextCell

__all__ = ["Element", "inline_lines", "page_elements", "text_elements"]


@dataclass(frozen=True)
class Element:
    """One element of prose.

    `kind` is ``heading``, ``label``, ``equation-label``, ``figure``, ``table``, ``formula``, ``image``, ``link``,
    ``html``, ``code-block``, ``toc``, ``rst``, ``bibliography``, ``value``, the name of an inline mark such as
    ``numref``, or for what is wrong ``problem``, ``misplaced`` (a mark that is none here) and ``broken`` (one that is
    not read);
    `value` is what the source gives for it (a label's name, a figure's path, …).
    """

    kind: str
    value: str
    line: int


def page_elements(document: Document) -> list[Element]:
    """Return the elements of all prose of a page, in order."""
    cells = (cell for cell in document.cells if isinstance(cell, TextCell))
    return [element for cell in cells for element in text_elements(cell.source, cell.first_line)]


def text_elements(source: str, first_line: int) -> list[Element]:
    """Return the elements of a piece of prose whose first line is the file's line `first_line`."""
    tokens = prose_parser().parse(strip_slide_marks(source))
    return sorted(_elements(tokens, first_line), key=lambda element: element.line)


# A known mark that is not read as one: with white space inside, with full-width colons, without backticks.
_NAMES = "|".join([*ROLES, VALUE_MARK, *LINE_MARKS, *TAB_MARKS])
_BEFORE_CODE = re.compile(rf"[:：]\s*({_NAMES})\s*[:：]\s*$")
_WITHOUT_CODE = re.compile(rf":({_NAMES}):(?!\s*$)|[:：]({'|'.join(TAB_MARKS)})[:：]")

_BLOCKS = {
    "dialect_label": "label",
    "math_block": "formula",
    "html_block": "html",
    "code_block": "code-block",
}


def _elements(tokens: list[Token], first_line: int) -> Iterator[Element]:
    line = first_line
    for index, token in enumerate(tokens):
        line = first_line + token.map[0] if token.map else line
        if token.type == "heading_open":
            yield Element("heading", f"{token.markup} {tokens[index + 1].content}", line)
        elif token.type == "dialect_problem":
            yield Element("problem", token.meta["code"], line)
        elif token.type == "math_block_label":
            yield Element("formula", token.content, line)
            yield Element("equation-label", token.info, first_line + (token.map or [0, 1])[1] - 1)
        elif token.type in _BLOCKS:
            yield Element(_BLOCKS[token.type], token.content, line)
        elif token.type == "fence":
            yield from _fence_elements(token, line, first_line)
        elif token.type == "inline":
            yield from _inline_elements(token, line)


def _fence_elements(token: Token, line: int, first_line: int) -> Iterator[Element]:
    meta, kind = token.meta, token.meta.get("dialect")
    if kind in ("figure", "table"):
        yield Element(kind, meta.get("path", meta["caption"]), line)
        yield from text_elements(meta["caption"], line)
        if "label" in meta:
            assert token.map is not None
            yield Element("label", meta["label"], first_line + token.map[1] - 1)
        if "rows" in meta:
            yield from text_elements(meta["rows"], first_line + int(meta["rows_line"]))
    elif kind == "bibliography":
        yield Element(kind, meta["path"], line)
    elif kind:
        yield Element({"eval_rst": "rst"}.get(kind, kind), token.content, line)


def inline_lines(block: Token, line: int) -> Iterator[tuple[int, Token]]:
    """Yield what stands in a paragraph, each token with its source line; the paragraph begins on line `line`."""
    current = line
    for token in block.children or []:
        offset = token.meta.get("offset")
        if offset is not None:
            current = line + block.content.count("\n", 0, offset)
        else:
            current += token.meta.get("line_ends", 0) + (token.type in ("softbreak", "hardbreak"))
        yield current, token
        if token.type in ("html_inline", "math_inline"):
            current += token.content.count("\n")


def _inline_elements(block: Token, line: int) -> Iterator[Element]:
    """Yield what stands in a sentence; a line end in the paragraph's source moves to the next line."""
    children = block.children or []
    for index, (current, token) in enumerate(inline_lines(block, line)):
        if "misplaced" in token.meta:
            yield Element("misplaced", token.meta["misplaced"], current)
        elif token.type == "myst_role":
            for value in token.content.split(",") if token.meta["dialect"].startswith("cite") else [token.content]:
                yield Element(token.meta["dialect"], value.strip(), current)
        elif token.meta.get("dialect") == VALUE_MARK:
            yield Element("value", token.content, current)
        elif token.type == "image":
            yield Element("image", unquote(str(token.attrs.get("src", ""))), current)
        elif token.type == "link_open":
            yield Element("link", unquote(str(token.attrs.get("href", ""))), current)
        elif token.type == "text":
            yield from _text_problems(token.content, children[index + 1 : index + 2], current)


def _text_problems(text: str, following: list[Token], line: int) -> Iterator[Element]:
    before_code = _BEFORE_CODE.search(text) if following and following[0].type == "code_inline" else None
    found = {match.start(): match for match in (before_code, *_WITHOUT_CODE.finditer(text)) if match}
    for match in found.values():
        name = next(group for group in match.groups() if group)
        yield Element("misplaced" if name == "end_tab" else "broken", name, line)
    if "$$" in text:
        yield Element("problem", "unclosed-formula", line)
