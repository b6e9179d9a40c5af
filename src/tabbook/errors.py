"""What the tool tells an author: where, what was found, and what to do about it."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

__all__ = [
    "BookError",
    "Diagnostic",
    "FullDiskError",
    "Severity",
    "as_json",
    "as_text",
    "has_errors",
    "is_full",
    "naming_full_disk",
    "system_letter",
]

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


class FullDiskError(OSError):
    """There is no room on a disk; `filename` is a folder on it."""


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(diagnostic.severity == "error" for diagnostic in diagnostics)


def as_text(diagnostics: Iterable[Diagnostic]) -> str:
    return "\n".join(diagnostic.letter() for diagnostic in diagnostics)


def as_json(diagnostics: Iterable[Diagnostic]) -> str:
    return json.dumps([asdict(diagnostic) for diagnostic in diagnostics], ensure_ascii=False, indent=1)


def is_full(error: OSError) -> bool:
    """Tell whether there is no room on a disk, or none for this user."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def naming_full_disk(folder: Path, what: str) -> Iterator[None]:
    """Let the error of a full disk say for what there is no room, and where: that of a write names nothing."""
    try:
        yield
    except OSError as error:
        if is_full(error) and not isinstance(error, FullDiskError):
            raise FullDiskError(error.errno, f"there is no room for {what}: {error.strerror}", str(folder)) from error
        raise


def system_letter(error: OSError) -> str:
    """Return an error of the system as lines for a person.

    >>> print(system_letter(OSError(28, "No space left on device", "/store")))
    /store: No space left on device
        hint: make room there, then run the command again; what was finished is kept
    """
    place = f"{error.filename}: " if error.filename else ""
    hint = "make room there, then run the command again" if is_full(error) else "run the command again"
    return f"{place}{error.strerror or error}\n    hint: {hint}; what was finished is kept"
