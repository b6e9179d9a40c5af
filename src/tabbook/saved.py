"""Compare what pages mark with `#@save` with the companion library, as syntax trees.

A mark saves the statement of a cell's top level on whose lines it stands; between statements, the next one. Layout and
docstrings are no difference, nor is `d2l.` before a name.
"""

from __future__ import annotations

import ast
import difflib
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tabbook.config import Config
from tabbook.dialect.findings import Findings
from tabbook.document import CodeCell, Document
from tabbook.errors import Diagnostic
from tabbook.select import select

__all__ = ["saved_findings"]

_MARK = re.compile(r"#\s*@save\b")
_MAGIC = re.compile(r"^[%!].*", re.MULTILINE)
_ALIAS = "d2l"


@dataclass(frozen=True)
class _Saved:
    """A marked statement: what it defines, where it stands in the page, and its code without what does not count."""

    name: str
    line: int
    tree: ast.stmt
    owner: str = ""  # the class that `@d2l.add_to_class` adds it to


def saved_findings(config: Config, document: Document) -> list[Diagnostic]:
    """Return where a page's marked code and the library differ; a book without a library has nothing to compare."""
    findings = Findings(document.path)
    for tab in config.tabs:
        module = config.root / config["tabbook"]["library"] / f"{config.frameworks[tab].module}.py"
        selection = select(document, tab, config.tabs)
        if selection is None or not module.is_file():
            continue
        for position, cell in selection.code:
            written = document.cells[position]
            if _MARK.search(cell.source) and isinstance(written, CodeCell):
                for saved in _saved(cell, written):
                    _compare(saved, module, config.relative(module), findings)
    return list(dict.fromkeys(findings.found))


def _saved(cell: CodeCell, written: CodeCell) -> Iterator[_Saved]:
    source = _MAGIC.sub("", cell.source)
    try:
        statements = ast.parse(source).body
        marks = [token.start[0] for token in _comments(source) if _MARK.match(token.string)]
    except (SyntaxError, tokenize.TokenError):
        return  # it is told when the cell is executed
    marked = (next((node for node in statements if (node.end_lineno or 0) >= mark), None) for mark in marks)
    for statement in dict.fromkeys(node for node in marked if node):
        line = written.first_line + _line_in_page(source, _first_line(statement), written.source)
        owner = _owner(statement)  # before its decorator is dropped
        yield _Saved(_name(statement), line, _Plain().visit(statement), owner)


def _comments(source: str) -> Iterator[tokenize.TokenInfo]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return (token for token in tokens if token.type == tokenize.COMMENT)


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def _line_in_page(source: str, line: int, written: str) -> int:
    """Return where a line of the selected source stands in the cell, which has tab marks and branches besides."""
    text = source.split("\n")[line - 1].strip()
    nth = [other.strip() for other in source.split("\n")[: line - 1]].count(text)
    places = [index for index, other in enumerate(written.split("\n")) if other.strip() == text]
    return places[min(nth, len(places) - 1)] if places else 0


def _name(statement: ast.stmt) -> str:
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.Assign(targets=[target, *_]) | ast.AnnAssign(target=target):
            return ast.unparse(target)
    return ast.unparse(statement)


def _owner(statement: ast.stmt) -> str:
    """Return the class that a function is added to by `@d2l.add_to_class(C)`."""
    for decorator in getattr(statement, "decorator_list", []):
        match decorator:
            case ast.Call(func=ast.Attribute(attr="add_to_class") | ast.Name(id="add_to_class"), args=[owner]):
                return ast.unparse(owner).removeprefix(f"{_ALIAS}.")
    return ""


class _Plain(ast.NodeTransformer):
    """Drops docstrings and the decorator that adds to a class, and writes `d2l.x` as `x`."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id == _ALIAS:
            return ast.copy_location(ast.Name(node.attr, node.ctx), node)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.decorator_list = [other for other in node.decorator_list if "add_to_class" not in ast.unparse(other)]
        return self._without_docstring(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._without_docstring(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._without_docstring(node)

    def _without_docstring(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> ast.AST:
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return self.generic_visit(node)


def _compare(saved: _Saved, module: Path, path: str, findings: Findings) -> None:
    try:
        library = _library(module, module.read_bytes())
    except SyntaxError as error:
        reason = f"The library cannot be read: {error.msg}."
        findings.found.append(Diagnostic(path, error.lineno or 1, "library-syntax", "error", reason, "correct it"))
        return
    found = library.get((saved.owner, saved.name))
    whole = f"{saved.owner}.{saved.name}" if saved.owner else saved.name
    if found is None:
        findings.add(
            saved.line,
            "save-missing",
            f"`{whole}` is marked with #@save and is not in {path}.",
            "add it to the library, for every framework, or remove the mark",
        )
        return
    line, tree = found
    if ast.dump(tree) != ast.dump(saved.tree):
        difference = _difference(saved, tree, f"{findings.path}:{saved.line}", f"{path}:{line}")
        findings.add(
            saved.line,
            "save-differs",
            f"`{whole}` is not what {path}:{line} has.\n{difference}",
            "make the two equal; docstrings and layout may differ",
        )


@lru_cache(maxsize=32)
def _library(module: Path, content: bytes) -> dict[tuple[str, str], tuple[int, ast.stmt]]:
    """Return the library's statements by class and name, each with its line; the class is empty outside of classes."""
    found: dict[tuple[str, str], tuple[int, ast.stmt]] = {}
    for statement in ast.parse(content, str(module)).body:
        if isinstance(statement, ast.ClassDef):
            for member in statement.body:
                found[statement.name, _name(member)] = (_first_line(member), member)
        found["", _name(statement)] = (_first_line(statement), statement)
    return {key: (line, _Plain().visit(tree)) for key, (line, tree) in found.items()}


def _difference(saved: _Saved, tree: ast.stmt, here: str, there: str) -> str:
    page, library = (ast.unparse(ast.fix_missing_locations(code)).split("\n") for code in (saved.tree, tree))
    return "\n".join(difflib.unified_diff(page, library, here, there, lineterm="", n=1))
