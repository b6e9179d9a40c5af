"""Where packages come from: what pip is told on this machine, in uv's words.

A machine may offer a CPU build of PyTorch, a mirror or a company's index through pip's configuration. uv reads only
its own, so pip's is handed to it; what uv is told itself (UV_…) goes first.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from functools import cache

__all__ = ["uv_index_arguments"]


@cache
def uv_index_arguments() -> tuple[str, ...]:
    """Return the arguments of ``uv pip install`` that make it look where pip looks."""
    settings = _pip_settings()
    arguments: list[str] = []
    if "UV_FIND_LINKS" not in os.environ:
        arguments += [word for place in settings.get("find-links", "").split() for word in ("--find-links", place)]
    if not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & set(os.environ) and "index-url" in settings:
        arguments += ["--default-index", settings["index-url"]]
    if not {"UV_INDEX", "UV_EXTRA_INDEX_URL"} & set(os.environ):
        indexes = settings.get("extra-index-url", "").split()
        arguments += [word for place in indexes for word in ("--index", place)]
        # pip looks for the best version in all indexes; uv would stop at the first that knows the name.
        arguments += ["--index-strategy", "unsafe-best-match"] if indexes else []
    if "UV_NO_INDEX" not in os.environ and settings.get("no-index", "0").lower() in ("1", "true", "yes", "on"):
        arguments += ["--no-index"]
    arguments += [word for host in settings.get("trusted-host", "").split() for word in ("--allow-insecure-host", host)]
    return tuple(arguments)


def _pip_settings() -> dict[str, str]:
    """Return pip's settings by name; a variable PIP_… wins over the files."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=False, capture_output=True, text=True
    ).stdout
    pairs = [line.partition("=") for line in listed.splitlines() if "=" in line]
    pairs.sort(key=lambda pair: pair[0].startswith(":env:"))
    return {name.split(".", 1)[1]: str(ast.literal_eval(value)) for name, _, value in pairs if "." in name}
