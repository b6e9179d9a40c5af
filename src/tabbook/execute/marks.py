"""What an author says of a cell's execution, in a comment on a line of its own.

#@raises ValueError     the cell is to raise this exception (any, without a name); readers see it
#@timeout 30            the cell may take this many seconds, instead of the book's limit
#@gpu 2                 the cell needs so many GPUs (one, without a number); without them it is not run
#@gpu 1 if available    the cell is given a GPU where there is one, and runs without one too
#@skip reason           the cell is not run; readers are told why
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["ExecutionMarks", "execution_marks", "gpus_wanted", "is_run", "misspelt_marks"]

_RAISES = re.compile(r"^[ \t]*#@raises(?:[ \t]+(\w+))?[ \t]*$", re.MULTILINE)
_TIMEOUT = re.compile(r"^[ \t]*#@timeout[ \t]+(\d+(?:\.\d+)?)[ \t]*$", re.MULTILINE)
_GPU = re.compile(r"^[ \t]*#@gpu(?:[ \t]+(\d+))?([ \t]+if[ \t]+available)?[ \t]*$", re.MULTILINE)
_SKIP = re.compile(r"^[ \t]*#@skip[ \t]+(\S.*?)[ \t]*$", re.MULTILINE)
_ONLY = re.compile(r"^[ \t]*#@only[ \t]+(\S.*?)[ \t]*$", re.MULTILINE)
_FORMS = {
    "raises": (_RAISES, "#@raises ValueError, or #@raises for any exception"),
    "timeout": (_TIMEOUT, "#@timeout 30, in seconds"),
    "gpu": (_GPU, "#@gpu, #@gpu 2 or #@gpu 1 if available"),
    "skip": (_SKIP, "#@skip and, behind it, the reason that readers are told"),
    "only": (_ONLY, "#@only and, behind it, why the other frameworks have no such cell"),
}
_ANY = re.compile(r"^[ \t]*#[ \t]*@(raises|timeout|gpu|skip|only)\b.*$", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True)
class ExecutionMarks:
    """The marks of one cell.

    `raises` is the exception's name, empty for any, None where the cell is not to raise; `timeout` is in seconds;
    `gpus` is a number that the cell asks for, and `needs_gpu` says that it is not run without; `skip` is the reason
    why it is not run at all.
    """

    raises: str | None = None
    timeout: float | None = None
    gpus: int = 0
    needs_gpu: bool = False
    skip: str = ""


def execution_marks(source: str) -> ExecutionMarks:
    r"""Return the marks of a cell.

    >>> execution_marks("#@raises ValueError\nint('x')").raises
    'ValueError'
    >>> execution_marks("#@gpu 2\ntorch.cuda.device_count()")
    ExecutionMarks(raises=None, timeout=None, gpus=2, needs_gpu=True, skip='')
    """
    if "#@" not in source:
        return ExecutionMarks()
    raises, timeout, gpu, skip = (pattern.search(source) for pattern in (_RAISES, _TIMEOUT, _GPU, _SKIP))
    return ExecutionMarks(
        raises=(raises[1] or "") if raises else None,
        timeout=float(timeout[1]) if timeout else None,
        gpus=int(gpu[1] or 1) if gpu else 0,
        needs_gpu=gpu is not None and not gpu[2] and gpu[1] != "0",
        skip=skip[1] if skip else "",
    )


def gpus_wanted(sources: Sequence[str]) -> int:
    """Return how many GPUs a notebook asks for: as many as the cell that asks for most."""
    return max((execution_marks(source).gpus for source in sources), default=0)


def is_run(marks: ExecutionMarks, gpus: int) -> bool:
    """Tell whether a cell is run in a notebook that was given so many GPUs."""
    return not marks.skip and not (marks.needs_gpu and gpus < marks.gpus)


def misspelt_marks(source: str) -> Iterator[tuple[int, str, str]]:
    """Yield what looks like a mark of execution and is none: its line (from 0), itself, and how it is written."""
    for match in _ANY.finditer(source):
        pattern, form = _FORMS[match[1].lower()]
        if not pattern.fullmatch(match[0]):
            yield source.count("\n", 0, match.start()), match[0].strip(), form
