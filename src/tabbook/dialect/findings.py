"""What can be wrong with a page, in words: one method a kind, so that all texts stand in one place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from tabbook.document import ALL
from tabbook.errors import Diagnostic, Severity

__all__ = ["Findings", "nearest"]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean …?`` for the known name most like `name`, or nothing."""
    matches = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return f"did you mean `{matches[0]}`?" if matches else ""


_MARK_HINT = "write `%%tab a, b` or `# @tab a, b`, in half-width letters"


def _mark_problem(line: str, is_mark: bool) -> str:
    """Say what is wrong with a line of code that is a tab mark or looks like one."""
    if is_mark and not re.match(r"\s*(?:%%tab|# *@tab)", line):
        return "The code before this tab mark is lost."
    if is_mark and re.search(r"tab +[\w, ]*[、，]", line):
        return "The names end at a full-width comma."
    if not is_mark and re.match(r"\s*[%％]{2}\s*tab\b|\s*[#＃]\s*[@＠]tab\b", line):
        return "This tab mark is not read as one."
    return ""


class Findings:
    """Diagnostics of one page, and whether its cells could be told apart (`damaged`)."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.found: list[Diagnostic] = []
        self.damaged = False

    def add(self, line: int, code: str, message: str, hint: str = "", severity: Severity = "error") -> None:
        self.found.append(Diagnostic(self.path, line, code, severity, message, hint))

    # Fences

    def fence_at_end_of_file(self, line: int) -> None:
        self.add(
            line,
            "fence-at-end-of-file",
            "The closing fence is the end of the file; d2lbook would take the cell for text.",
            "end the file with a newline",
        )

    def fence_with_trailing_space(self, line: int) -> None:
        self.add(
            line,
            "fence-trailing-space",
            "White space follows the closing fence; d2lbook would not see the end of the cell.",
            "remove what follows the fence",
        )

    def lost_opening_fence(self, line: int) -> None:
        self.damaged = True
        self.add(
            line,
            "lost-opening-fence",
            "This fence ends a block that no fence begins.",
            "put the opening fence, such as ```{.python .input}, before the first line of the code above",
        )

    def not_a_cell(self, line: int) -> None:
        self.add(
            line,
            "not-a-cell",
            "This looks like a code cell but is text: it does not run.",
            "begin the line with ```{.python .input}, in column 1 and in half-width letters",
            "warning",
        )

    def unclosed_fence(self, line: int, opening: str) -> None:
        self.damaged = True
        self.add(
            line,
            "unclosed-fence",
            f"The block {opening} has no closing fence.",
            "end it with a line of its own that repeats the opening fence and nothing else",
        )

    # Code cells

    def check_count(self, line: int, values: Iterable[tuple[str, str]]) -> None:
        for name, value in values:
            if name == "n" and not value.isdigit():
                self.add(
                    line,
                    "cell-number",
                    f"`n={value}` is not a number; d2lbook stops here.",
                    "remove `n=…`: cells are counted when they are executed",
                )

    def check_marks(self, line: int, source: str, marks: Sequence[int]) -> None:
        """Check the tab marks of a cell whose first line is `line`; `marks` are the indices of their lines."""
        for index in marks[1:]:
            self.add(
                line + index,
                "second-tab-mark",
                "A cell has one tab mark; this is a second one.",
                "write all names in one mark: `%%tab a, b`",
            )
        for index, text in enumerate(source.split("\n")):
            problem = _mark_problem(text, index in marks)
            if problem:
                self.add(line + index, "malformed-cell-mark", problem, _MARK_HINT)

    def check_tabs(self, line: int, names: Iterable[str], tabs: Sequence[str]) -> None:
        for name in names:
            if tabs and not name:
                self.add(
                    line,
                    "unknown-tab",
                    "A tab's name is missing beside a comma.",
                    "remove the comma, or write the name",
                )
            elif tabs and name not in tabs and name != ALL:
                self._unknown_tab(line, name, tabs)

    def _unknown_tab(self, line: int, name: str, tabs: Sequence[str]) -> None:
        """A name like a tab's is a slip of the pen; any other is a framework that this book leaves out."""
        message = f"`{name}` is not a tab of this book."
        if meant := nearest(name, tabs):
            self.add(line, "unknown-tab", message, meant)
        else:
            hint = f"add it to `tabs` in config.ini, or leave it out; the book's tabs are {', '.join(tabs)}"
            self.add(line, "unknown-tab", f"{message} Nobody sees what is only for it.", hint, "warning")

    def undecidable_branch(self, line: int, reason: str) -> None:
        self.damaged = True
        self.add(
            line,
            "tab-condition",
            f"This `tab.selected` cannot be decided: {reason}.",
            "use only tab.selected('…') with not, and, or; put other conditions inside the branch",
        )

    # Outputs that stand in the page

    def output_not_json(self, line: int) -> None:
        self.add(
            line,
            "output-not-json",
            "An output fence without `.json` is shown as text.",
            "write ```{.json .output}, or remove the output: outputs are regenerated",
            "warning",
        )

    def output_without_cell(self, line: int) -> None:
        self.add(
            line,
            "output-without-cell",
            "This output does not follow a code cell; d2lbook stops here.",
            "move it straight behind its cell, or remove it: outputs are regenerated",
        )

    def invalid_output(self, line: int, reason: str) -> None:
        self.add(
            line, "invalid-output", f"The output is not valid JSON: {reason}.", "remove it: outputs are regenerated"
        )

    # Tab blocks

    def malformed_tab_mark(self, line: int) -> None:
        self.add(
            line,
            "malformed-tab-mark",
            "A tab mark stands alone on its line, with its names in backticks.",
            "write :begin_tab:`pytorch, jax` and, after the text, :end_tab:",
        )

    def nested_tab_block(self, line: int, outer: int) -> None:
        self.add(
            line,
            "nested-tab-block",
            f"A tab block begins inside the one of line {outer}.",
            "end the outer block with :end_tab: first; tab blocks do not nest",
        )

    def end_without_begin(self, line: int) -> None:
        self.add(
            line,
            "end-without-begin",
            "`:end_tab:` ends no tab block.",
            "remove it, or write :begin_tab:`…` before the text",
        )

    def unclosed_tab_block(self, line: int, code_line: int | None) -> None:
        where = f"before the code cell of line {code_line}" if code_line else "before the end of the page"
        self.add(
            line,
            "unclosed-tab-block",
            f"The tab block has no `:end_tab:` {where}.",
            "put :end_tab: after the block's text",
        )
