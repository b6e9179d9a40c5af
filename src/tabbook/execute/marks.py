"""What an author says of a cell's execution, in a comment on a line of its own.

#@raises ValueError    the cell is to raise this exception (any, without a name); readers see it
#@timeout 30           the cell may take this many seconds, instead of the book's limit
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["ExecutionMarks", "execution_marks"]

_RAISES = re.compile(r"^[ \t]*#@raises(?:[ \t]+(\w+))?[ \t]*$", re.MULTILINE)
_TIMEOUT = re.compile(r"^[ \t]*#@timeout[ \t]+(\d+(?:\.\d+)?)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class ExecutionMarks:
    """`raises` is the exception's name, empty for any, None where the cell is not to raise; `timeout` is in seconds."""

    raises: str | None = None
    timeout: float | None = None


def execution_marks(source: str) -> ExecutionMarks:
    r"""Return the marks of a cell.

    >>> execution_marks("#@raises ValueError\nint('x')").raises
    'ValueError'
    """
    raises, timeout = _RAISES.search(source), _TIMEOUT.search(source)
    return ExecutionMarks((raises[1] or "") if raises else None, float(timeout[1]) if timeout else None)
