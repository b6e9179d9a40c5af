"""By which versions outputs are made: those that a framework's requirements pin, or those of a named interpreter.

An interpreter that has every pinned version makes the outputs that the environment made from the pins would make, so
both have one key. Any other has a key of its own, and nobody takes its outputs for those of the pinned versions.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from tabbook.config import Config, Framework
from tabbook.dialect.findings import nearest
from tabbook.environments import requirement_lines, requirements_digest
from tabbook.interpreters import (
    VARIABLE,
    Interpreter,
    UnusableInterpreter,
    interpreter_variable,
    named_interpreter,
    read_interpreter,
)

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

__all__ = ["Versions", "differing_pins", "interpreter_notes", "unusable_interpreters", "versions_part"]

_SHOWN = 3
_MORE_REQUIREMENTS = ("-r", "--requirement", "-c", "--constraint", "-e", "--editable")


@dataclass(frozen=True)
class Versions:
    """What a notebook's key says of versions: Python's (major.minor), and a digest of the packages'."""

    python: str
    requirements: str


def versions_part(framework: Framework) -> Versions:
    """Return by what versions a framework's outputs are made; nothing is started unless an interpreter is named."""
    pinned = requirements_digest(framework.requirements)
    python = named_interpreter(framework.name)
    if python is None:
        return Versions(_own_python(), pinned)
    found = read_interpreter(python)
    if isinstance(found, UnusableInterpreter):
        return Versions("", "none: the named interpreter cannot be used")  # so nothing is taken for its outputs
    differing = differing_pins(requirement_lines(framework.requirements), found)
    return Versions(found.version, _installed_digest(found) if differing else pinned)


def interpreter_notes(config: Config, names: Sequence[str]) -> list[str]:
    """Return a line for each named interpreter whose outputs have a key of their own, and for misspelt variables."""
    notes = [note for name in names if (note := _note(config.frameworks[name]))]
    variables = [interpreter_variable(tab) for tab in config.tabs]
    for name in sorted(name for name in os.environ if name.startswith(VARIABLE) and name not in variables):
        likely = nearest(name.removeprefix(VARIABLE), config.tabs)
        if likely:  # else it may be another book's
            notes.append(f"{name}: this book has no such framework, so nothing is run by it; {likely}")
    return notes


def unusable_interpreters(config: Config, names: Sequence[str]) -> list[str]:
    """Return a letter for each named interpreter that cannot be used."""
    letters = []
    for framework in (config.frameworks[name] for name in names):
        python = named_interpreter(framework.name)
        found = read_interpreter(python) if python else None
        if isinstance(found, UnusableInterpreter):
            variable = interpreter_variable(framework.name)
            hint = f"correct {variable}, or unset it: then the outputs of the pinned versions are shown"
            letters.append(f"{framework.title}: error: {variable}={python}: {found.reason}\n    hint: {hint}")
    return letters


def _note(framework: Framework) -> str:
    """Return what is to be said of the key of a framework's outputs, if anything."""
    python = named_interpreter(framework.name)
    found = read_interpreter(python) if python else None
    if not isinstance(found, Interpreter):
        return ""
    differing = differing_pins(requirement_lines(framework.requirements), found)
    reasons = [_counted(differing, framework.packages)] if differing else []
    if found.version != _own_python():
        reasons.append(f"Python {found.version} instead of {_own_python()}")
    if not reasons:
        return ""
    variable = interpreter_variable(framework.name)
    return f"{framework.title}: outputs made with {variable} have a key of their own: {'; '.join(reasons)}"


def _counted(differing: Mapping[str, str], packages: Iterable[str]) -> str:
    """Return how many pins differ and the first of them, the framework's own packages before all others.

    >>> _counted({"numpy": "numpy 1.26.4 instead of 2.4.6", "torch": "torch is missing"}, ["torch"])
    '2 pins differ (torch is missing, numpy 1.26.4 instead of 2.4.6)'
    """
    own = set(packages)
    ordered = sorted(differing, key=lambda name: name not in own)
    shown = [differing[name] for name in ordered[:_SHOWN]] + ["…"] * (len(ordered) > _SHOWN)
    return f"{len(ordered)} pins differ ({', '.join(shown)})" if len(ordered) > 1 else f"1 pin differs ({shown[0]})"


@lru_cache(maxsize=64)
def differing_pins(lines: tuple[str, ...], found: Interpreter) -> Mapping[str, str]:
    """Return which lines of requirements an interpreter does not fulfil, by package, each in words."""
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - as in interpreters
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    installed, differing = dict(found.packages), {}
    for line in lines:
        if line.startswith("-"):
            if line.startswith(_MORE_REQUIREMENTS):
                differing[line] = f"`{line}` is not compared"
            continue
        try:
            pin = Requirement(line)
        except InvalidRequirement:
            differing[line] = f"`{line}` is not compared"
            continue
        name = canonicalize_name(pin.name)
        if pin.marker and not pin.marker.evaluate(dict(found.markers)):
            continue
        if name not in installed:
            differing[name] = f"{name} is missing"
        elif pin.url:
            differing[name] = f"{name} {installed[name]} instead of what its address holds"
        elif not _fulfils(installed[name], pin.specifier):
            differing[name] = f"{name} {installed[name]} instead of {str(pin.specifier).removeprefix('==')}"
    return differing if lines else {"": "no version is pinned"}


def _fulfils(version: str, pinned: SpecifierSet) -> bool:
    """Tell whether a version is a pinned one; how it was built (`+cu130`, `+cpu`) does not count."""
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - as in interpreters
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415

    try:
        public = Version(version).public
    except InvalidVersion:  # of long ago, or of a distribution's own making
        return False
    return SpecifierSet(re.sub(r"\+[\w.-]+", "", str(pinned))).contains(public, prereleases=True)


def _installed_digest(found: Interpreter) -> str:
    """Return a digest of all that is installed; the word before it tells it from one of pins."""
    lines = [f"python {found.version}", *(f"{name}=={version}" for name, version in found.packages)]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return f"installed {digest}"


def _own_python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
