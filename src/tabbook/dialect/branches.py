"""``if tab.selected('a', 'b'):`` inside a cell: the body is kept for those tabs and dropped for others.

The condition is decided when the cell is read, on the syntax tree, so that ``elif``, ``else``, ``not``, ``and``
and ``or`` work. Old books write ``if d2l.USE_PYTORCH:`` for the same thing.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

__all__ = ["BranchError", "branch_errors", "select_branches", "selected_names"]

_USE = "USE_"
_MAGIC = re.compile(r"^([ ]*)(?:\w+ *= *)?[%!].*$", re.MULTILINE)


@dataclass(frozen=True)
class BranchError(Exception):
    """A condition that cannot be decided; `line` counts from 0 within the cell."""

    line: int
    reason: str


@dataclass(frozen=True)
class _Arm:
    """`if`, `elif` or (without a test) `else`; `header` is the index of its line."""

    test: ast.expr | None
    header: int
    body: list[ast.stmt]


def branch_errors(source: str) -> list[BranchError]:
    """Return what cannot be decided in a cell: conditions, and uses of ``tab.selected`` that are none."""
    if not _may_ask(source):
        return []
    try:
        tree = _parse(source)
    except BranchError as error:
        return [error]
    branches = _branches(tree)
    decided = {id(node) for branch in branches for node in ast.walk(branch.test)}
    errors = [
        BranchError(node.lineno - 1, "it is not the condition of an `if`")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _is_selected_call(node) and id(node) not in decided
    ]
    for branch in branches:
        try:
            _decide(branch.test, "")
        except BranchError as error:
            errors.append(error)
    return sorted(errors, key=lambda error: error.line)


def selected_names(source: str) -> list[tuple[int, str]]:
    """Return the names that a cell's conditions ask for, each with its line, counted from 0 within the cell."""
    if not _may_ask(source):
        return []
    try:
        calls = [node for node in ast.walk(_parse(source)) if isinstance(node, ast.Call) and _is_selected_call(node)]
        return [(argument.lineno - 1, name) for call in calls for argument in call.args for name in _names(argument)]
    except BranchError:
        return []


def _may_ask(source: str) -> bool:
    return "tab.selected" in source or f"d2l.{_USE}" in source


def select_branches(source: str, tab: str) -> str:
    """Return the cell as tab `tab` has it.

    Raises:
        BranchError: a condition mixes the tab with values known only at run time, or the code cannot be parsed.
    """
    if not _may_ask(source):
        return source
    tree = _parse(source)
    branch = min(_branches(tree), key=lambda node: node.lineno, default=None)
    if branch is None:
        return source
    lines = source.split("\n")
    replaced = _replace(branch, lines, tab)
    if replaced is None:
        empty = [" " * _indent_of(branch, lines) + "pass"] if _is_whole_body(branch, tree) else []
        replaced = lines[: branch.lineno - 1] + empty + lines[_end(branch, lines) :]
    selected = "\n".join(replaced)
    return select_branches(selected, tab)  # the body that was kept may hold branches of its own


def _parse(source: str) -> ast.Module:
    # A magic such as `%matplotlib inline` becomes a statement of the same place and indentation.
    try:
        return ast.parse(_MAGIC.sub(r"\1pass", source))
    except SyntaxError as error:
        raise BranchError((error.lineno or 1) - 1, f"the cell is not valid Python: {error.msg}") from None


def _branches(tree: ast.Module) -> list[ast.If]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.If) and _asks_for_tab(node.test)]


def _is_whole_body(branch: ast.If, tree: ast.Module) -> bool:
    """Tell whether nothing but the branch stands in its block, which would be left without a body."""
    blocks = (body for node in ast.walk(tree) if node is not tree for _, body in ast.iter_fields(node))
    return any(body == [branch] for body in blocks)


def _asks_for_tab(test: ast.expr) -> bool:
    return any(_is_selected_call(node) or _is_use_flag(node) for node in ast.walk(test))


def _is_selected_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "tab.selected"


def _is_use_flag(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node).startswith(f"d2l.{_USE}")


def _decide(test: ast.expr, tab: str) -> bool:
    match test:
        case ast.Call() if _is_selected_call(test):
            return any(name == tab for argument in test.args for name in _names(argument))
        case ast.Attribute() if _is_use_flag(test):
            return test.attr == _USE + tab.upper()
        case ast.UnaryOp(op=ast.Not()):
            return not _decide(test.operand, tab)
        case ast.BoolOp(op=operator):
            # Every part is decided, also where the first would do, so that an undecidable one is always found.
            decided = [_decide(value, tab) for value in test.values]
            return all(decided) if isinstance(operator, ast.And) else any(decided)
    raise BranchError(test.lineno - 1, f"`{ast.unparse(test)}` is not known before the cell runs")


def _names(argument: ast.expr) -> list[str]:
    elements = argument.elts if isinstance(argument, ast.List | ast.Tuple) else [argument]
    return [_name(element) for element in elements]


def _name(element: ast.expr) -> str:
    if isinstance(element, ast.Constant) and isinstance(element.value, str):
        return element.value
    raise BranchError(element.lineno - 1, f"`{ast.unparse(element)}` is not a tab's name in quotes")


def _replace(branch: ast.If, lines: list[str], tab: str) -> list[str] | None:
    """Return the lines with the branch replaced by its arm for the tab; None where no arm is for it."""
    arms = _arms(branch, lines)
    end = _end(branch, lines)
    bounds = [arm.header for arm in arms[1:]] + [end]
    for arm, bound in zip(arms, bounds, strict=True):
        if arm.test is None or _decide(arm.test, tab):
            return lines[: arms[0].header] + _kept(arm, bound, lines) + lines[end:]
    return None


def _arms(branch: ast.If, lines: list[str]) -> list[_Arm]:
    arms = [_Arm(branch.test, branch.lineno - 1, branch.body)]
    if not branch.orelse:
        return arms
    other = branch.orelse[0]
    if isinstance(other, ast.If) and lines[other.lineno - 1].lstrip().startswith("elif"):
        return arms + _arms(other, lines)
    header = other.lineno - 1
    while not (lines[header].lstrip().startswith("else") and _indent(lines[header]) == _indent_of(branch, lines)):
        header -= 1
    return [*arms, _Arm(None, header, branch.orelse)]


def _end(branch: ast.If, lines: list[str]) -> int:
    """Return the index of the first line behind the branch, which ends where the indentation does."""
    end = branch.end_lineno or branch.lineno
    while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > _indent_of(branch, lines)):
        end += 1
    return end


def _kept(arm: _Arm, bound: int, lines: list[str]) -> list[str]:
    """Return the arm's body, moved to where the branch stood."""
    head = arm.body[0]
    indent = _indent(lines[arm.header])
    if head.lineno - 1 == arm.header:  # `if …: x = 1` on one line; the syntax tree counts bytes
        return [" " * indent + lines[arm.header].encode()[head.col_offset :].decode()]
    first = arm.header + 1 if arm.test is None else arm.test.end_lineno or arm.header + 1
    shift = _indent(lines[head.lineno - 1]) - indent
    fixed = _fixed_lines(arm.body, lines, shift)
    return [line if index in fixed else line[shift:] for index, line in enumerate(lines[first:bound], first)]


def _fixed_lines(body: list[ast.stmt], lines: list[str], shift: int) -> set[int]:
    """Return the lines that cannot be moved, and those of the strings that they belong to."""
    strings = [
        range(node.lineno, node.end_lineno or node.lineno)
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Constant | ast.JoinedStr)
    ]
    fixed = {line for string in strings if not all(_moves(lines[i], shift) for i in string) for line in string}
    return fixed | {index for index, line in enumerate(lines) if not _moves(line, shift) and line.strip()}


def _moves(line: str, shift: int) -> bool:
    return not line.strip() or _indent(line) >= shift


def _indent_of(branch: ast.If, lines: list[str]) -> int:
    return _indent(lines[branch.lineno - 1])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
