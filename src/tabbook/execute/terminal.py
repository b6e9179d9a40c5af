"""What a terminal shows of text that moves the cursor, as progress bars do."""

from __future__ import annotations

import re

__all__ = ["screen", "without_escapes"]

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()*+][0-9A-Z]|[78=>cDEHM])")
_MOVE = re.compile(r"\x1b\[(\d*)([A-DGK])|([\r\n\b])")


def without_escapes(text: str) -> str:
    """Return text without a terminal's escape codes: colours, links, moves of the cursor."""
    return _ESCAPE.sub("", text)


def screen(text: str) -> str:
    r"""Return text as it stands on a terminal in the end: without escape codes and what was written over.

    >>> screen("10%\r100%")
    '100%'
    >>> screen("outer 0\ninner 9\x1b[A\router 1")
    'outer 1\ninner 9'
    """
    text = _ESCAPE.sub(lambda escape: escape[0] if _MOVE.fullmatch(escape[0]) else "", text.replace("\r\n", "\n"))
    if not _MOVE.search(text.replace("\n", "")):
        return text
    page = _Page()
    done = 0
    for move in _MOVE.finditer(text):
        page.write(text[done : move.start()])
        page.move(move[2] or move[3], int(move[1] or 0))
        done = move.end()
    page.write(text[done:])
    return page.text()


class _Page:
    """Lines of characters and a cursor."""

    def __init__(self) -> None:
        self.lines: list[list[str]] = [[]]
        self.row = self.column = 0
        self.rewritten: set[int] = set()

    def write(self, text: str) -> None:
        if not text:
            return
        line = self.lines[self.row]
        if self.column < len(line):
            self.rewritten.add(self.row)
        line += " " * (self.column - len(line))
        line[self.column : self.column + len(text)] = text
        self.column += len(text)

    def move(self, code: str, number: int) -> None:
        """Do what a control character or the last letter of an escape code says."""
        match code:
            case "\r":
                self.column = 0
            case "\n" | "B":
                self._to_row(self.row + max(number, 1))
                self.column = 0 if code == "\n" else self.column
            case "A":
                self.row = max(0, self.row - max(number, 1))
            case "C":
                self.column += max(number, 1)
            case "\b" | "D":
                self.column = max(0, self.column - max(number, 1))
            case "G":
                self.column = max(number, 1) - 1
            case "K":
                self._erase(number)

    def _to_row(self, row: int) -> None:
        self.lines += [[] for _ in range(row + 1 - len(self.lines))]
        self.row = row

    def _erase(self, which: int) -> None:
        line = self.lines[self.row]
        if which == 1:  # up to the cursor
            line[: self.column + 1] = " " * min(self.column + 1, len(line))
        else:
            del line[0 if which == 2 else self.column :]
        self.rewritten.add(self.row)

    def text(self) -> str:
        """Return the lines; blanks that cover what stood there before are not text."""
        lines = ("".join(line) for line in self.lines)
        return "\n".join(line.rstrip() if row in self.rewritten else line for row, line in enumerate(lines))
