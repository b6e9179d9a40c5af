"""One Python environment a framework, made by uv from pinned requirements when it is needed.

Where a variable names an interpreter that exists already, that one is the environment, and nothing is installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tabbook.interpreters import interpreter_trouble, interpreter_variable, named_interpreter
from tabbook.pip_settings import uv_index_arguments

__all__ = [
    "STAMP",
    "Environment",
    "EnvironmentFailure",
    "environment_python",
    "environment_stamp",
    "environment_trouble",
    "make_environments",
    "requirement_lines",
    "requirements_digest",
]

STAMP = "made-from.txt"
"""The file in an environment that says what it was made from; it is written last."""

_COMMENT = re.compile(r"(?:^|\s)#.*")  # as pip: within a word, such as `…whl#sha256=…`, a `#` begins none

Report = Callable[[str], None]


@dataclass(frozen=True)
class Environment:
    """An environment that is ready: `python` is its interpreter."""

    name: str
    python: Path


@dataclass(frozen=True)
class EnvironmentFailure:
    """An environment that could not be made, and why."""

    name: str
    reason: str


def requirements_digest(requirements: Path | None) -> str:
    """Return a digest of what a requirements file pins; comments and order of lines do not count."""
    if requirements is None or not requirements.is_file():
        return ""
    return hashlib.sha256("\n".join(sorted(_lines(requirements))).encode()).hexdigest()


def requirement_lines(requirements: Path | None) -> tuple[str, ...]:
    """Return what a requirements file asks for, a line each, without comments and the options of single lines."""
    if requirements is None or not requirements.is_file():
        return ()
    text = "\n".join(_lines(requirements)).replace("\\\n", " ")
    return tuple(line.split(" --", maxsplit=1)[0].strip() for line in text.splitlines())


def _lines(requirements: Path) -> list[str]:
    lines = (_COMMENT.sub("", line).strip() for line in requirements.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def environment_stamp(requirements: Path) -> str:
    """Return what an environment of these requirements carries in its stamp when it is up to date."""
    return f"{requirements_digest(requirements)} python {platform.python_version()} {platform.machine()}\n"


def environment_python(folder: Path, name: str) -> Path:
    return folder / name / "bin" / "python"


def make_environments(
    requirements: Mapping[str, Path | None], folder: Path, report: Report
) -> dict[str, Environment | EnvironmentFailure]:
    """Make the named environments under `folder`, side by side; those that are up to date are left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(max_workers=len(requirements) or 1) as pool:
        results = pool.map(lambda item: _make(item[0], item[1], folder, report), requirements.items())
        return {result.name: result for result in results}


def environment_trouble(name: str) -> tuple[str, str]:
    """Return how to say that a framework has no environment, and what its user may correct."""
    if named_interpreter(name):
        variable = interpreter_variable(name)
        return "its interpreter cannot be used", f"correct {variable}, or unset it"
    return "its environment could not be made", f"correct requirements/{name}.txt"


def _make(name: str, requirements: Path | None, folder: Path, report: Report) -> Environment | EnvironmentFailure:
    if python := named_interpreter(name):
        return _named(name, python, report)
    if requirements is None or not requirements.is_file():
        reason = f"{requirements or f'requirements/{name}.txt'} does not exist"
        return EnvironmentFailure(name, f"{reason}; name its file under [framework-{name}] in config.ini")
    stamp = folder / name / STAMP
    wanted = environment_stamp(requirements)
    with _lock(folder / f"{name}.lock"):
        if environment_python(folder, name).exists() and stamp.is_file() and stamp.read_text() == wanted:
            return Environment(name, environment_python(folder, name))
        report(f"{name}: installing the packages of {requirements.name}")
        failure = _install(name, requirements, folder)
        if failure:
            return EnvironmentFailure(name, failure)
        stamp.write_text(wanted)
    report(f"{name}: environment ready")
    return Environment(name, environment_python(folder, name))


def _named(name: str, python: Path, report: Report) -> Environment | EnvironmentFailure:
    """Return the interpreter that a variable names as an environment, once it is known that it runs notebooks."""
    variable = interpreter_variable(name)
    if trouble := interpreter_trouble(python):
        return EnvironmentFailure(name, f"{variable}={python}: {trouble}")
    report(f"{name}: {python} is used, as {variable} says; nothing is installed")
    return Environment(name, python)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a lock between processes, so that two builds do not make one environment at a time."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _install(name: str, requirements: Path, folder: Path) -> str:
    """Make the environment anew; return what went wrong, or nothing."""
    place = str(folder / name)
    python = str(environment_python(folder, name))
    steps = [
        ["venv", "--quiet", "--clear", "--python", sys.executable, place],
        ["pip", "install", "--quiet", "--python", python, *uv_index_arguments(), "--requirement", str(requirements)],
    ]
    for step in steps:
        done = subprocess.run(
            [sys.executable, "-m", "uv", *step],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": ""},
        )
        if done.returncode != 0:
            return _last_words(done.stderr)
    return ""


def _last_words(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return " ".join(lines[-6:]) or "uv said nothing"
