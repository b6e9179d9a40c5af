"""Interpreters that exist already, where the environment of a framework is one that somebody else keeps.

``TABBOOK_PYTHON_PYTORCH=/path/to/python`` names one: that of a machine with a GPU, of a cluster, or of Conda. Nothing
is installed into it. It is started once a process, and says what is installed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

__all__ = [
    "VARIABLE",
    "Interpreter",
    "UnusableInterpreter",
    "interpreter_trouble",
    "interpreter_variable",
    "named_interpreter",
    "read_interpreter",
]

VARIABLE = "TABBOOK_PYTHON_"

_OLDEST = (3, 11)
_SECONDS = 120  # a large environment on a network drive is slow to start

# Python puts the current folder in front of all others; neither we nor kernels import from there.
_CLOSED = "import sys; sys.path[:] = [folder for folder in sys.path if folder]"
# In words that Python 2 understands, so that it can say how old it is. The markers are those of PEP 508.
_ASK = f"""\
{_CLOSED}
import json, os, platform
answer = {{"version": list(sys.version_info[:2])}}
if sys.version_info >= {_OLDEST}:
    from importlib.metadata import distributions
    found = [(each.metadata["Name"], each.version) for each in distributions()]
    answer["packages"] = [pair for pair in found if pair[0] and pair[1]]
    answer["markers"] = {{
        "implementation_name": sys.implementation.name,
        "implementation_version": platform.python_version(),
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": "%d.%d" % sys.version_info[:2],
        "sys_platform": sys.platform,
    }}
print("\\n" + json.dumps(answer))
"""
_IMPORT_KERNEL = f"{_CLOSED}; import ipykernel.kernelapp"


@dataclass(frozen=True)
class Interpreter:
    """What an interpreter has.

    `version` is major.minor, `packages` the installed distributions and their versions, sorted by normalised name, and
    `markers` what environment markers in requirements are compared with.
    """

    python: Path
    version: str
    packages: tuple[tuple[str, str], ...]
    markers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class UnusableInterpreter:
    """Why an interpreter cannot be used."""

    reason: str


def interpreter_variable(name: str) -> str:
    """Return the environment variable that names the interpreter of a framework.

    >>> interpreter_variable("pytorch"), interpreter_variable("my-torch.2")
    ('TABBOOK_PYTHON_PYTORCH', 'TABBOOK_PYTHON_MY_TORCH_2')
    """
    return VARIABLE + re.sub(r"[^A-Z0-9]", "_", name.upper())


def named_interpreter(name: str, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the interpreter that a variable names for a framework; None where its environment is made here."""
    value = environ.get(interpreter_variable(name), "").strip()
    return Path(value).expanduser().absolute() if value else None  # kernels run in other folders


@lru_cache(maxsize=64)
def read_interpreter(python: Path) -> Interpreter | UnusableInterpreter:
    """Return what an interpreter has; it is started for that, once a process."""
    try:
        if python.is_dir():
            return UnusableInterpreter(f"this is a folder; name its interpreter, such as {python}/bin/python")
        if not python.exists():
            return UnusableInterpreter("there is no such file")
    except OSError as error:  # a folder above it that may not be read, a name that is too long
        return UnusableInterpreter(f"it cannot be reached: {error.strerror}")
    said = _started(python, _ASK)
    if isinstance(said, UnusableInterpreter):
        return said
    try:
        return _answered(python, next(line for line in reversed(said.splitlines()) if line.startswith("{")))
    except (ValueError, KeyError, TypeError, StopIteration):
        return UnusableInterpreter("it is no Python interpreter: it does not answer as one")


def _answered(python: Path, line: str) -> Interpreter | UnusableInterpreter:
    answer = json.loads(line)
    version = tuple(answer["version"])
    if version < _OLDEST:
        return UnusableInterpreter(f"it is Python {_dotted(version)}; {_dotted(_OLDEST)} or a later one is needed")
    return Interpreter(python, _dotted(version), _packages(answer["packages"]), tuple(answer["markers"].items()))


def interpreter_trouble(python: Path) -> str:
    """Return why notebooks cannot be run by an interpreter, or nothing; tried anew with each call."""
    found = read_interpreter(python)
    if isinstance(found, UnusableInterpreter):
        return found.reason
    kernel = _started(python, _IMPORT_KERNEL)
    if isinstance(kernel, UnusableInterpreter):
        return f"its ipykernel cannot be imported, which runs notebooks ({kernel.reason}); install it there"
    return ""


def _started(python: Path, code: str) -> str | UnusableInterpreter:
    """Run code in an interpreter, with the folders of packages that its kernels have; return what it prints."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        done = subprocess.run(
            [str(python), "-c", code], check=False, capture_output=True, timeout=_SECONDS, env=environ
        )
    except OSError as error:
        return UnusableInterpreter(f"it cannot be started: {error.strerror or error}")
    except subprocess.TimeoutExpired:
        return UnusableInterpreter(f"it did not answer within {_SECONDS} seconds")
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), "it said nothing")
        return UnusableInterpreter(f"it ended with status {done.returncode}: {last}")
    return done.stdout.decode(errors="replace")


def _packages(found: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return distributions by normalised name; of two that are called the same, the one that is imported."""
    from packaging.utils import canonicalize_name  # noqa: PLC0415 - most builds have no foreign interpreter

    first: dict[str, str] = {}
    for name, version in found:
        first.setdefault(canonicalize_name(name), version)
    return tuple(sorted(first.items()))


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))
