"""Tell the code cells, the tab blocks and the prose of a page apart.

A page is a sequence of lines in column 0, as d2lbook reads it: fences, tab marks, and everything else. The
rules are markdown-it-py block rules, tried in the order of `_RULES`; each returns at once where it does not apply.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

from tabbook.dialect.attributes import FenceAttributes, parse_attributes
from tabbook.dialect.branches import selected_names
from tabbook.dialect.cell_marks import cell_tabs, mark_lines, split_names
from tabbook.dialect.findings import Findings
from tabbook.document import Cell, CodeCell, Document, Span, TextCell

__all__ = ["read_page"]

_OPENING = re.compile(r"(`{3,}|~{3,})[ \t]*(.*)$")
_TAB_MARK = re.compile(r":(begin_tab|end_tab):(.*)$")
_BEGIN = re.compile(r"\s*`([^`]+)`")
_LOST_INPUT = re.compile(r"[{\s.]input\b(?!\.)", re.IGNORECASE)
_LOST_CELL = re.compile(r"\s+(?:`{3,}|~{3,})\s*\{[^}]*\.input\b|[｀～]{3}\s*\{")


def read_page(text: str, path: str, tabs: Sequence[str] = ()) -> Document:
    """Read a page.

    Args:
        text: the page's source.
        path: where diagnostics say that it is, relative to the project.
        tabs: the tabs that the book has; empty for a book without tabs.

    A malformed page is read as far as its meaning is certain; `Document.diagnostics` says what is wrong with it.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    findings = Findings(path)
    tokens: list[Token] = []
    parser = _parser()
    parser.block.parse(text, parser, {"findings": findings, "in_tab": False}, tokens)
    cells = _Cells(text, findings, tabs).read(tokens)
    return Document(path, tuple(cells), tuple(sorted(findings.found)), findings.damaged)


# Rules: each consumes whole lines and pushes one token whose `map` says which.


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] : state.eMarks[number]]


def _push(state: StateBlock, kind: str, first: int, end: int, **meta: Any) -> bool:
    token = state.push(kind, "", 0)
    token.map = [first, end]
    token.meta = meta
    state.line = end
    return True


def _fence_rule(state: StateBlock, first: int, end: int, _silent: bool) -> bool:
    opening = _OPENING.match(_line(state, first))
    if not opening or "`" in opening[2]:
        return False
    fence, info = opening.groups()
    if not info and _is_orphan(state, first, end):
        state.env["findings"].lost_opening_fence(first + 1)
        return _push(state, "orphan", first, first + 1)
    close, closed_well = _find_closing(state, fence, info, first, end)
    if close is None:
        return _push(state, "orphan", first, first + 1)
    body_end = close if closed_well else _without_blank_end(state, first + 1, close)
    last = close + 1 if closed_well else body_end
    return _push(state, "fence", first, last, info=info, body=(first + 1, body_end), closed=closed_well)


def _is_orphan(state: StateBlock, first: int, end: int) -> bool:
    """Tell whether a fence without info looks like the end of a cell: text right before it, a blank line behind it."""
    before = state.tokens[-1] if state.tokens else None
    follows_text = before is not None and before.type == "text_line" and before.map == [first - 1, first]
    return follows_text and first + 1 < end and not _line(state, first + 1).strip()


def _find_closing(state: StateBlock, fence: str, info: str, first: int, end: int) -> tuple[int | None, bool]:
    """Return the line that closes the fence and whether it is a closing fence.

    A fence without a line that closes it ends where the next one opens; one that is itself the orphaned end of a
    cell has no line at all.
    """
    findings: Findings = state.env["findings"]
    for number in range(first + 1, end):
        line = _line(state, number)
        if not line.startswith(fence):
            continue
        rest = line[len(fence) :]
        if not rest:
            if number == end - 1 and not state.src.endswith("\n"):
                findings.fence_at_end_of_file(number + 1)
            return number, True
        if not rest.strip():
            findings.fence_with_trailing_space(number + 1)
            return number, True
        if rest.strip(fence[0]) == "":
            continue  # a longer fence does not close a shorter one
        opener = _OPENING.match(line)
        if opener and opener[1] == fence and opener[2]:
            if not info:
                findings.lost_opening_fence(first + 1)
                return None, False
            findings.unclosed_fence(first + 1, fence + info)
            return number, False
    if not info:
        findings.lost_opening_fence(first + 1)
        return None, False
    findings.unclosed_fence(first + 1, fence + info)
    return end, False


def _without_blank_end(state: StateBlock, first: int, end: int) -> int:
    while end > first and not _line(state, end - 1).strip():
        end -= 1
    return end


def _tab_mark_rule(state: StateBlock, first: int, _end: int, _silent: bool) -> bool:
    match = _TAB_MARK.match(_line(state, first))
    if not match:
        return False
    findings: Findings = state.env["findings"]
    kind, rest = match.groups()
    names: tuple[str, ...] = ()
    if kind == "begin_tab":
        begin = _BEGIN.match(rest)
        names = split_names(begin[1]) if begin else split_names(re.sub(r"[^\w,]", "", rest))
        if not begin or begin[0].rstrip() != f"`{begin[1]}`" or rest[begin.end() :].strip():
            findings.malformed_tab_mark(first + 1)
    elif rest.strip():
        findings.malformed_tab_mark(first + 1)
    return _push(state, kind, first, first + 1, names=names)


def _text_rule(state: StateBlock, first: int, _end: int, _silent: bool) -> bool:
    if _LOST_CELL.match(_line(state, first)):
        state.env["findings"].not_a_cell(first + 1)
    return _push(state, "text_line", first, first + 1)


_RULES = (("dialect_fence", _fence_rule), ("dialect_tab_mark", _tab_mark_rule), ("dialect_text", _text_rule))


@cache  # it keeps nothing of a page
def _parser() -> MarkdownIt:
    parser = MarkdownIt("zero")
    for name, rule in _RULES:
        parser.block.ruler.before("paragraph", name, rule)
    return parser


class _Cells:
    """Gathers tokens into cells: prose runs until a code cell or a tab block begins."""

    def __init__(self, text: str, findings: Findings, tabs: Sequence[str]) -> None:
        self.lines = text.split("\n")
        self.findings = findings
        self.tabs = tabs
        self.cells: list[Cell] = []
        self.text_start: int | None = None
        self.text_end = 0
        self.block: tuple[int, tuple[str, ...]] | None = None  # line and names of the open tab block

    def read(self, tokens: Sequence[Token]) -> list[Cell]:
        for token in tokens:
            assert token.map is not None
            first, end = token.map
            if token.type == "begin_tab":
                self._begin_tab(first, token.meta["names"])
            elif token.type == "end_tab":
                self._end_tab(first)
            elif token.type == "fence":
                self._fence(first, end, token.meta)
            elif token.type == "orphan":
                if not self.block:
                    self._flush_text()
            else:
                self._extend_text(first, end)
        self._leave_block(None)
        self._flush_text()
        return self.cells

    def _extend_text(self, first: int, end: int) -> None:
        if self.text_start is None:
            self.text_start = first
        self.text_end = end

    def _flush_text(self) -> None:
        if self.text_start is None:
            return
        first, end = self.text_start, self.text_end
        while first < end and not self.lines[first].strip():
            first += 1
        while first < end and not self.lines[end - 1].strip():
            end -= 1
        if first < end:
            self.cells.append(TextCell("\n".join(self.lines[first:end]), Span(first + 1, end)))
        self.text_start = None

    def _begin_tab(self, line: int, names: tuple[str, ...]) -> None:
        if self.block:
            self.findings.nested_tab_block(line + 1, self.block[0] + 1)
            self._close_block(line, line)
        self._flush_text()
        self.findings.check_tabs(line + 1, names, self.tabs)
        self.block = (line, names)

    def _end_tab(self, line: int) -> None:
        if not self.block:
            self.findings.end_without_begin(line + 1)
            return
        self._close_block(line, line + 1)

    def _leave_block(self, code_line: int | None) -> None:
        """End a tab block that no mark has ended."""
        if self.block:
            self.findings.unclosed_tab_block(self.block[0] + 1, code_line)
            end = code_line - 1 if code_line else len(self.lines)
            self._close_block(end, end)

    def _close_block(self, body_end: int, end: int) -> None:
        assert self.block is not None
        first, names = self.block
        self.block, self.text_start = None, None
        source = "\n".join(self.lines[first + 1 : body_end])
        if source.strip():
            self.cells.append(TextCell(source, Span(first + 1, end), names))

    def _fence(self, first: int, end: int, meta: dict[str, Any]) -> None:
        attributes = parse_attributes(meta["info"])
        if not (attributes.is_input or attributes.is_output):
            if "output" in attributes.classes:
                self.findings.output_not_json(first + 1)
            elif _LOST_INPUT.search(meta["info"]):
                self.findings.not_a_cell(first + 1)
            self._extend_text(first, end)
            return
        body = "\n".join(self.lines[meta["body"][0] : meta["body"][1]])
        self._leave_block(first + 1)
        if attributes.is_output:
            self._outputs(body if meta["closed"] else "[]", first)
            return
        self._flush_text()
        if body.strip():
            self._code(body, Span(first + 1, end), attributes)

    def _code(self, body: str, span: Span, attributes: FenceAttributes) -> None:
        names = cell_tabs(body)
        if names:
            self.findings.check_tabs(span.first + 1 + mark_lines(body)[0], names, self.tabs)
        for line, name in selected_names(body):
            self.findings.check_tabs(span.first + 1 + line, [name], self.tabs)
        self.findings.check_marks(span.first + 1, body, mark_lines(body))
        self.findings.check_count(span.first, attributes.values)
        self.cells.append(CodeCell(body, span, names, attributes.language))

    def _outputs(self, body: str, first: int) -> None:
        self._flush_text()
        last = self.cells[-1] if self.cells else None
        if not isinstance(last, CodeCell):
            self.findings.output_without_cell(first + 1)
            return
        try:
            outputs = json.loads(body)
        except json.JSONDecodeError as error:
            self.findings.invalid_output(first + 1 + error.lineno, error.msg)
            return
        if not (isinstance(outputs, list) and all(isinstance(output, dict) for output in outputs)):
            self.findings.invalid_output(first + 2, "a list of objects is expected")
            return
        self.cells[-1] = replace(last, outputs=tuple(outputs))
