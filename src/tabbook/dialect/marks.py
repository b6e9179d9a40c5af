"""Marks on lines of their own, and what they make of the heading, image, table or formula that they belong to.

A block rule reads the lines; a core rule then walks over the blocks and replaces them by tokens that MyST knows:

    ## Title                heading
    :label:`sec_x`          → dialect_label sec_x, heading
    ![caption](x.svg)       image alone in a paragraph
    :width:`400px`          → fence {figure} x.svg, with its options
    : caption               paragraph before a table
    | a | b | …             → fence {table} caption
    $$ … $$                 formula
    :eqlabel:`eq_x`         → math_block_label eq_x
    ```toc, ```eval_rst     → fence {toctree}, {eval-rst}

Every token keeps the source lines of what it was made from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from tabbook.dialect.attributes import parse_attributes
from tabbook.dialect.japanese import one_line
from tabbook.dialect.roles import LINE_MARKS, TAB_MARKS

__all__ = ["marks_plugin"]

_MARK = re.compile(rf":({'|'.join(LINE_MARKS)}):`([^`]*)`\s*")
_MARK_LINE = re.compile(rf"(?:{_MARK.pattern})+$")
_TAB_MARK = re.compile(r":(begin_tab|end_tab):(`[^`]*`)?\s*$")
_IMAGE = re.compile(r"!\[(?P<caption>.*)\]\(\s*(?P<path>[^\s()]+)(?:\s+\"[^\"]*\")?\s*\)$", re.DOTALL)
_CAPTION = re.compile(r":(?!\w+:`)\s*(?P<caption>\S.*)$", re.DOTALL)
_FINAL_FORMULA = re.compile(r"\$\$((?:(?!\$\$).)+)\$\$\s*$", re.DOTALL)


def marks_plugin(md: MarkdownIt) -> None:
    """Read the marks that stand on lines of their own. What does not fit becomes a ``dialect_problem`` token."""
    interrupts: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    md.block.ruler.before("fence", "dialect_mark", _mark_rule, interrupts)
    md.core.ruler.after("block", "dialect_marks", _attach)


def _mark_rule(state: StateBlock, line: int, _end: int, silent: bool) -> bool:
    start = state.bMarks[line] + state.tShift[line]
    if state.src[start : start + 1] != ":" or state.sCount[line] - state.blkIndent > 3:
        return False
    text = state.src[start : state.eMarks[line]]
    if not (_MARK_LINE.match(text) or _TAB_MARK.match(text)):
        return False
    if silent:
        return True
    for match in _MARK.finditer(text) if _MARK_LINE.match(text) else [_TAB_MARK.match(text)]:
        assert match is not None
        token = state.push("dialect_mark", "", 0)
        token.map = [line, line + 1]
        token.content = (match[2] or "").strip()
        token.meta = {"name": match[1]}
    state.line = line + 1
    return True


def _attach(state: StateCore) -> None:
    tokens = _figures(state.tokens)
    tokens = _tables(tokens, state.src)
    state.tokens = _marks(tokens)
    for token in state.tokens:
        if token.type == "fence":
            _finish_fence(token)


def _paragraph_at(tokens: list[Token], index: int) -> str | None:
    """Return the source of the paragraph that begins at `index`, if one does."""
    if tokens[index].type == "paragraph_open" and tokens[index + 1].type == "inline":
        return tokens[index + 1].content
    return None


def _figures(tokens: list[Token]) -> list[Token]:
    """An image alone in its paragraph is a figure."""
    result: list[Token] = []
    index = 0
    while index < len(tokens):
        match = _IMAGE.match(_paragraph_at(tokens, index) or "")
        if match and tokens[index].level == 0 and "](" not in match["caption"]:
            options = {"path": match["path"], "caption": one_line(match["caption"])}
            result.append(_fence(tokens[index].map, "figure", options))
            index += 3
        else:
            result.append(tokens[index])
            index += 1
    return result


def _tables(tokens: list[Token], source: str) -> list[Token]:
    """A table and the paragraph with its caption before it are one."""
    result: list[Token] = []
    index = 0
    while index < len(tokens):
        match = _CAPTION.match(_paragraph_at(tokens, index) or "")
        if match and index + 3 < len(tokens) and tokens[index + 3].type == "table_open":
            end = next(i for i in range(index + 3, len(tokens)) if tokens[i].type == "table_close")
            first, last = tokens[index].map, tokens[index + 3].map
            assert first is not None
            assert last is not None
            rows = "\n".join(source.split("\n")[last[0] : last[1]])
            options = {"caption": one_line(match["caption"]), "rows": rows, "rows_line": str(last[0])}
            result.append(_fence([first[0], last[1]], "table", options))
            index = end + 1
        else:
            result.append(tokens[index])
            index += 1
    return result


def _fence(lines: list[int] | None, kind: str, options: dict[str, str]) -> Token:
    token = Token("fence", "code", 0, map=lines, markup="```", block=True)
    token.meta = {"dialect": kind, **options}
    return token


def _marks(tokens: list[Token]) -> list[Token]:
    result: list[Token] = []
    for token in tokens:
        if token.type != "dialect_mark":
            result.append(token)
            continue
        name = token.meta["name"]
        if name in TAB_MARKS:
            result.append(_problem(token, "indented-tab-mark"))
        elif not token.content:
            result.append(_problem(token, "empty-mark"))
        elif name == "label":
            _label(result, token)
        elif name == "eqlabel":
            _equation_label(result, token)
        elif name == "bibliography":
            result.append(_fence(token.map, "bibliography", {"path": token.content}))
        elif result and result[-1].meta.get("dialect") == "figure":
            result[-1].meta[name] = token.content
            _extend(result[-1], token)
        else:
            result.append(_problem(token, f"misplaced-{name}"))
    return result


def _label(result: list[Token], mark: Token) -> None:
    """A label names the nearest heading, figure or table before it."""
    for index in range(len(result) - 1, -1, -1):
        token = result[index]
        if token.meta.get("dialect") in ("figure", "table") and "label" not in token.meta:
            token.meta["label"] = mark.content
            _extend(token, mark)
            return
        is_captioned = token.meta.get("dialect") in ("figure", "table")
        if is_captioned or token.type == "heading_open" or (token.type == "table_open" and token.level == 0):
            label = Token("dialect_label", "", 0, map=mark.map, content=mark.content, block=True)
            result.insert(index, label)
            return
    result.append(_problem(mark, "label-without-target"))


def _equation_label(result: list[Token], mark: Token) -> None:
    if result and result[-1].type == "paragraph_close":
        _split_final_formula(result)
    if result and result[-1].type == "math_block":
        result[-1].type = "math_block_label"
        result[-1].info = mark.content
        _extend(result[-1], mark)
    else:
        result.append(_problem(mark, "eqlabel-without-formula"))


def _split_final_formula(result: list[Token]) -> None:
    """Make a display formula at the end of a paragraph a block of its own."""
    opening, inline, closing = result[-3:]
    match = _FINAL_FORMULA.search(inline.content)
    if not match or opening.map is None:
        return
    first, end = opening.map
    line = first + inline.content.count("\n", 0, match.start())
    formula = Token("math_block", "math", 0, content=match[1], markup="$$", block=True, map=[line, end])
    before = inline.content[: match.start()].rstrip()
    del result[-3:]
    if before:
        inline.content = before
        result += [opening, inline, closing]
    result.append(formula)


def _extend(token: Token, mark: Token) -> None:
    if token.map and mark.map:
        token.map = [token.map[0], mark.map[1]]


def _problem(mark: Token, code: str) -> Token:
    token = Token("dialect_problem", "", 0, map=mark.map, content=mark.content, block=True)
    token.meta = {"code": code}
    return token


# Fences, in MyST's words


def _finish_fence(token: Token) -> None:
    kind = token.meta.get("dialect")
    if kind:
        token.info, lines = _DIRECTIVES[kind](token.meta)
        token.content = "".join(f"{line}\n" for line in lines)
    elif token.info.strip() in _RENAMED:
        token.meta["dialect"] = token.info.strip()
        token.info = _RENAMED[token.info.strip()]
    elif token.info.lstrip().startswith(("{.", "{#")):
        token.info = next(iter(parse_attributes(token.info).classes), "")


_RENAMED = {"toc": "{toctree}", "eval_rst": "{eval-rst}"}


def _options(meta: dict[str, str], *names: str) -> Iterator[str]:
    for name in names:
        if meta.get(name):
            yield f":{'name' if name == 'label' else name}: {meta[name]}"


def _figure(meta: dict[str, str]) -> tuple[str, list[str]]:
    # The alternative text is one line of plain words: marks and mathematics lose their signs.
    plain = re.sub(r"[`$*_\\]|:\w+:(?=`)", "", meta["caption"])
    options = [*_options(meta, "label", "width", "height"), *([f":alt: {plain}"] if plain else [])]
    return f"{{figure}} {meta['path']}", [*options, "", meta["caption"]]


def _table(meta: dict[str, str]) -> tuple[str, list[str]]:
    return f"{{table}} {meta['caption']}", [*_options(meta, "label"), "", *meta["rows"].split("\n")]


def _bibliography(meta: dict[str, str]) -> tuple[str, list[str]]:
    return f"{{bibliography}} {meta['path']}", []


_DIRECTIVES = {"figure": _figure, "table": _table, "bibliography": _bibliography}
