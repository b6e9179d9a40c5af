"""What was measured, kept in results.json: a section a part, each with its date, commit, machine and versions."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.book import REPOSITORY
from tabbook.config import load_config
from tabbook.environments import environment_python
from tabbook.execute.provenance import cpu_model

__all__ = ["RESULTS", "circumstances", "keep", "load"]

RESULTS = Path(__file__).with_name("results.json")

Results = dict[str, dict[str, Any]]

_MEASURED = ("src", "docs", "requirements", "config.ini")
_PACKAGES = {
    "bench": ("nbclient", "ipykernel", "myst-nb", "jupyter-cache", "sphinx"),
    "d2lbook": ("d2lbook",),
    "pytorch": ("torch",),
    "mxnet": ("mxnet",),
    "jax": ("jax",),
    "tensorflow": ("tensorflow-cpu", "tensorflow"),
}
_ASK = """\
import importlib.metadata as found, json, sys
versions = {}
for name in sys.argv[1:]:
    try:
        versions[name] = found.version(name)
    except found.PackageNotFoundError:
        pass
print(json.dumps(versions))
"""


def load() -> Results:
    """Return all sections that were ever measured."""
    if not RESULTS.is_file():
        return {}
    content: Results = json.loads(RESULTS.read_text(encoding="utf-8"))
    return content


def keep(section: str, measured: dict[str, Any]) -> None:
    """Write a section; the others stay as they are."""
    content = {**load(), section: measured}
    new = RESULTS.with_suffix(".new")
    new.write_text(json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    new.replace(RESULTS)


def circumstances() -> dict[str, Any]:
    """Return when, of which commit, on which machine and with which versions is measured."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "commit": _commit(),
        "machine": {
            "cpu": cpu_model(),
            "cores": len(os.sched_getaffinity(0)),
            "memory": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "load": round(os.getloadavg()[1], 2),
        },
        "versions": _versions(),
    }


def _commit() -> str:
    """Return the commit, with a `+` where what is measured differs from it."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    return commit + ("+" if _git("status", "--porcelain", "--", *_MEASURED) else "") if commit else "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _versions() -> dict[str, str]:
    folder = load_config(REPOSITORY).environments_dir
    found = {"python": platform.python_version()}
    for name, packages in _PACKAGES.items():
        python = environment_python(folder, name)
        if python.exists():
            done = subprocess.run([python, "-c", _ASK, *packages], capture_output=True, text=True, check=True)
            found.update(json.loads(done.stdout))
    return found
