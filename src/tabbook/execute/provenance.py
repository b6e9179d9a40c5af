"""Where outputs come from: the versions in an environment, the device, and the date, found without running anything."""

from __future__ import annotations

import json
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import Distribution, distributions
from pathlib import Path

__all__ = ["cpu_model", "environment_versions", "execution_date"]

_CPU_INFO = Path("/proc/cpuinfo")
_ASK = "import json, platform, sys; print(json.dumps([platform.python_version(), sys.path]))"


def environment_versions(python: Path, packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of `packages` in an interpreter's environment, in that order, and last that of Python.

    A package may be named as it is imported where its distribution has another name (`tensorflow` of
    `tensorflow-cpu`). A package that the environment does not have is left out.
    """
    version, folders = _interpreter(python)
    found = {package: _package_version(package, folders) for package in packages}
    return {**{package: number for package, number in found.items() if number}, "python": version}


def cpu_model() -> str:
    """Return the name of this machine's processor."""
    try:
        text = _CPU_INFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    model = re.search(r"^model name\s*:\s*(\S.*)$", text, re.MULTILINE)
    name = model[1] if model else platform.processor() or platform.machine()
    return " ".join(name.split())


def execution_date(environ: Mapping[str, str]) -> str:
    """Return the date that outputs made now are given: that of SOURCE_DATE_EPOCH where it is set.

    >>> execution_date({"SOURCE_DATE_EPOCH": "0"})
    '1970-01-01T00:00:00+00:00'
    """
    epoch = environ.get("SOURCE_DATE_EPOCH", "")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdecimal() else datetime.now(UTC)
    return moment.isoformat(timespec="seconds")


@lru_cache(maxsize=64)
def _interpreter(python: Path) -> tuple[str, tuple[str, ...]]:
    """Return an interpreter's version and the folders that its packages lie in.

    A closed virtual environment says both in its files; any other interpreter is asked.
    """
    settings = _environment_settings(python.parents[1] / "pyvenv.cfg")
    version = settings.get("version_info") or settings.get("version", "")
    folders = sorted(python.parents[1].glob("lib*/python3*/site-packages"))
    if re.match(r"\d+\.\d+\.\d+", version) and folders and settings.get("include-system-site-packages") != "true":
        return ".".join(version.split(".")[:3]), tuple(map(str, folders))
    done = subprocess.run([str(python), "-I", "-c", _ASK], check=True, capture_output=True, text=True, timeout=60)
    version, path = json.loads(done.stdout)
    return version, tuple(path)


def _environment_settings(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    pairs = (line.partition("=") for line in file.read_text(encoding="utf-8").splitlines())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


@lru_cache(maxsize=256)
def _package_version(package: str, folders: tuple[str, ...]) -> str:
    named = next(iter(distributions(name=package, path=list(folders))), None)
    if named is None:
        every = distributions(path=list(folders))
        named = next((distribution for distribution in every if _provides(distribution, package)), None)
    return named.version if named else ""


def _provides(distribution: Distribution, package: str) -> bool:
    """Tell whether a distribution holds a package of this name to import."""
    if package in (distribution.read_text("top_level.txt") or "").split():
        return True
    return f"\n{package}/__init__.py," in f"\n{distribution.read_text('RECORD') or ''}"
