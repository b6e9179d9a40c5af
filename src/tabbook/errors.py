"""What the tool tells an author: where, what was found, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

__all__ = ["BookError", "Diagnostic", "Severity", "as_json", "as_text", "has_errors"]

Severity = Literal["error", "warning"]


@dataclass(frozen=True, order=True)
class Diagnostic:
    """One finding, located in a source file.

    `path` is relative to the project, `line` counts from 1, `code` is a stable kebab-case name of the kind
    of finding, and `hint` is an instruction that the author can follow. The first line of `message` stands alone;
    further lines, if any, quote the source.
    """

    path: str
    line: int
    code: str
    severity: Severity
    message: str
    hint: str = ""

    def letter(self) -> str:
        """Return the finding as lines for a person.

        >>> print(Diagnostic("docs/a.md", 4, "unclosed-fence", "error", "No end.", "Add one.").letter())
        docs/a.md:4: error: No end. [unclosed-fence]
            hint: Add one.
        """
        first, *quoted = self.message.split("\n")
        lines = [f"{self.path}:{self.line}: {self.severity}: {first} [{self.code}]"]
        lines += [f"    {line}" for line in quoted]
        lines += [f"    hint: {self.hint}"] if self.hint else []
        return "\n".join(lines)


class BookError(Exception):
    """A reason why a command cannot go on at all, worded for its user."""


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(diagnostic.severity == "error" for diagnostic in diagnostics)


def as_text(diagnostics: Iterable[Diagnostic]) -> str:
    return "\n".join(diagnostic.letter() for diagnostic in diagnostics)


def as_json(diagnostics: Iterable[Diagnostic]) -> str:
    return json.dumps([asdict(diagnostic) for diagnostic in diagnostics], ensure_ascii=False, indent=1)
