"""What a module of the companion library exports, read from its source: nothing is imported.

A module says by `__all__` what is public and in what order; docstrings are in Google's style, their texts in Markdown.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from tabbook.errors import BookError

__all__ = ["Entry", "Part", "Variants", "merge_entries", "read_module"]

_LONGEST = 12
"""Code of more lines is not shown: its first lines say how it is called."""

_ORDER = ("code", "text", "parameters", "returns", "raises")


@dataclass(frozen=True)
class Part:
    """A part of an entry: `text` is code or Markdown, `rows` are pairs of a name and what is said of it."""

    kind: str
    text: str = ""
    rows: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Entry:
    """A public name: `kind` is function, class or attribute, `line` where it is defined, `parts` what readers see."""

    name: str
    kind: str
    line: int
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Variants:
    """Parts for the readers of `tabs`; for all readers, if there are none."""

    tabs: tuple[str, ...]
    parts: tuple[Part, ...]


def read_module(path: Path, name: str) -> dict[str, Entry]:
    """Return the entries of the module in file `path` by name, in the order of its `__all__`.

    Raises:
        BookError: the file is no Python, has no `__all__`, names there what it does not define, or has a docstring
            with a section that is not shown.
    """
    import griffe  # noqa: PLC0415 - only books with a reference need it

    source = path.read_text(encoding="utf-8")
    try:
        module = griffe.visit(name, path, source)
    except SyntaxError as error:
        raise BookError(f"{path}:{error.lineno}: error: {error.msg}") from None
    public = [str(each) for each in module.exports or []]
    if not public:
        raise BookError(f"{path}: error: no `__all__`.\n    hint: list there what readers may use")
    unknown = [each for each in public if each not in module.members or module[each].is_alias]
    if unknown:
        raise BookError(f"{path}: error: `__all__` names {', '.join(unknown)}, which the module does not define")
    return {each: _entry(module[each], path, source.splitlines()) for each in public}


def _entry(member: Any, path: Path, lines: Sequence[str]) -> Entry:
    from griffe import Parser  # noqa: PLC0415

    source = "\n".join(lines[member.lineno - 1 : member.endlineno])
    found: dict[str, list[Part]] = {"code": [Part("code", _code(source))]}
    sections = member.docstring.parse(Parser.google, warnings=False) if member.docstring else ()
    for section in sections:
        kind = section.kind.value
        if kind not in _ORDER:
            raise BookError(
                f"{path}:{member.docstring.lineno}: error: the section `{section.title or kind}` of {member.name}'s "
                f"docstring is not shown to readers.\n    hint: write it as text, or under Args, Returns or Raises"
            )
        found.setdefault(kind, []).append(_part(kind, section.value))
    parts = tuple(_joined(kind, found[kind]) for kind in _ORDER if kind in found)
    return Entry(member.name, member.kind.value, member.lineno, parts)


def _part(kind: str, value: Any) -> Part:
    if kind == "text":
        return Part(kind, value)
    if kind == "returns":
        return Part(kind, "\n\n".join(each.description for each in value))
    names = ((each.name if kind == "parameters" else str(each.annotation)) for each in value)
    return Part(kind, rows=tuple(zip(names, (each.description for each in value), strict=True)))


def _joined(kind: str, parts: Sequence[Part]) -> Part:
    return Part(
        kind, "\n\n".join(part.text for part in parts if part.text), tuple(row for part in parts for row in part.rows)
    )


def _code(source: str) -> str:
    """Return code without its docstring; of long code, only how it begins."""
    node = ast.parse(source).body[0]
    lines = source.splitlines()
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return source
    first = node.body[0]
    head = lines[: first.lineno - 1]
    body = lines[first.end_lineno or 0 :] if ast.get_docstring(node) is not None else lines[len(head) :]
    while body and not body[0].strip():
        del body[0]
    return "\n".join([*head, *body] if len(head) + len(body) <= _LONGEST else head)


def merge_entries(entries: Mapping[str, Entry], tabs: Sequence[str]) -> Iterator[Variants]:
    """Yield what there is to say of one name: parts that are the same for all `tabs` once, others a variant a tab.

    Tabs whose parts are the same share a variant, as on the book's other pages.
    """
    rows = [
        {tab: part for tab, entry in entries.items() for part in entry.parts if part.kind == kind} for kind in _ORDER
    ]
    for is_shared, run in groupby((row for row in rows if row), key=lambda row: _is_shared(row, tabs)):
        parts = list(run)
        if is_shared:
            yield Variants((), tuple(next(iter(row.values())) for row in parts))
            continue
        variants: dict[tuple[Part, ...], list[str]] = {}
        for tab in entries:
            if own := tuple(row[tab] for row in parts if tab in row):
                variants.setdefault(own, []).append(tab)
        for own, names in variants.items():
            yield Variants(tuple(names), own)


def _is_shared(row: Mapping[str, Part], tabs: Sequence[str]) -> bool:
    return len(row) == len(tabs) and len(set(row.values())) == 1
