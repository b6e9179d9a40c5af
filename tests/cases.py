"""The prose fixtures in tests/snippets: how they are written, read and written anew.

A case is a title, a page and what is expected of it, set off by lines that hold only a dot:

    A code cell has its fences in its span
    .
    ```{.python .input}
    x = 1
    ```
    .
    code 1-3
    .

A title may end with notes in braces: `{no tabs}`, `{tabs: a, b}` in place of pytorch, mxnet, jax, tensorflow;
`{no final newline}`; `{register: masu}` for a book in です・ます; `{ours: why}` where d2lbook gives another notebook
than we do. What an editor would lose or hide is written as a sign: ␠ a blank at a line's end, ⇥ a tab
character, ␍ a carriage return, ␣ a byte order mark.
The folder that a file stands in says what is expected: see `tests/test_dialect.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["TABS", "Case", "read_cases", "regenerate"]

FOLDER = Path(__file__).parent / "snippets"
TABS = ("pytorch", "mxnet", "jax", "tensorflow")

_CASE = re.compile(r"^(?P<title>\S.*)\n\.\n(?P<page>(?:.*\n)*?)\.\n(?P<expected>(?:.*\n)*?)\.\n", re.MULTILINE)
_NOTE = re.compile(r"\{([^{}]*)\}")
_SIGNS = {"␠": " ", "⇥": "\t", "␍": "\r", "␣": "\ufeff"}


@dataclass(frozen=True)
class Case:
    """One fixture: a page and what is expected of it."""

    file: Path
    line: int
    title: str
    page: str
    expected: str

    @property
    def kind(self) -> str:
        return self.file.parent.name

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.file.name}:{self.line} {_NOTE.sub('', self.title).strip()}"

    @property
    def notes(self) -> dict[str, str]:
        pairs = (note.partition(":") for note in _NOTE.findall(self.title))
        return {name.strip(): value.strip() for name, _, value in pairs}

    @property
    def tabs(self) -> tuple[str, ...]:
        if "no tabs" in self.notes:
            return ()
        return tuple(self.notes["tabs"].split(", ")) if "tabs" in self.notes else TABS

    @property
    def source(self) -> str:
        text = self.page
        for sign, character in _SIGNS.items():
            text = text.replace(sign, character)
        return text.removesuffix("\n") if "no final newline" in self.notes else text


def read_cases(kind: str = "*") -> list[Case]:
    """Return the cases of one kind, or all."""
    return [case for file in sorted(FOLDER.glob(f"{kind}/*.md")) for case in _read(file)]


def _read(file: Path) -> list[Case]:
    text = file.read_text(encoding="utf-8")
    matches = list(_CASE.finditer(text))
    rest = _CASE.sub("", text).strip()
    assert not rest, f"{file}: this is no case: {rest[:200]}"
    return [Case(file, text.count("\n", 0, m.start()) + 1, m["title"], m["page"], m["expected"]) for m in matches]


def regenerate(kind: str, result: Callable[[Case], str]) -> None:
    """Write what `result` gives for the cases of a kind into their files."""
    for file in sorted(FOLDER.glob(f"{kind}/*.md")):
        cases = [f"{case.title}\n.\n{case.page}.\n{result(case)}.\n" for case in _read(file)]
        file.write_text("\n".join(cases), encoding="utf-8")
