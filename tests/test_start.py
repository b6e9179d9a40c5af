"""The command line before it does anything: its help, and how fast it is there."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from conftest import REPOSITORY
from tabbook.__main__ import main

COMMANDS = ("check", "notebook", "execute", "status", "html", "environments", "outputs", "store", "clean")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*([command] if command else []), "--help"])
    assert end.value.code == 0
    assert "usage: tabbook" in capsys.readouterr().out


HEAVY = ("sphinx", "myst_nb", "docutils", "nbclient", "nbformat", "jupyter_client", "rich", "zmq", "asyncio")


def test_check_loads_nothing_heavy() -> None:
    """`tabbook check` of this book imports neither Sphinx nor Jupyter."""
    code = (
        "import json, sys; from tabbook.__main__ import main; status = main(['check', '--format', 'json']);"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=REPOSITORY, timeout=60
    )
    assert json.loads(done.stderr.splitlines()[-1]) == []


def fastest(*arguments: str) -> float:
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "tabbook", *arguments], check=False, capture_output=True, cwd=REPOSITORY)
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def test_it_starts_fast() -> None:
    """Start-up without work takes at most 0.3 seconds, and `check` of this book well under a second."""
    assert fastest("--help") <= 0.3
    assert fastest("check") <= 0.9
