"""What several test modules share: the folder of the repository, and what a test needs beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate", action="store_true", help="write what the snippets give into their files")


def needs_environment(name: str) -> Path:
    """Return the Python interpreter of an environment that `tabbook environments` makes; skip without it.

    With TABBOOK_NO_SKIP=1 a missing environment is a failure: that is how CI notices that a test did not run.
    """
    python = REPOSITORY / "_build" / "environments" / name / "bin" / "python"
    if python.exists():
        return python
    reason = f"the environment `{name}` is missing: {python.relative_to(REPOSITORY)} does not exist"
    if os.environ.get("TABBOOK_NO_SKIP") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built book; what its store lacks is executed first."""
    for name in ("pytorch", "mxnet", "jax", "tensorflow"):
        needs_environment(name)
    done = subprocess.run(
        [sys.executable, "-m", "tabbook", "html"],
        check=False,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=1500,
    )
    assert done.returncode == 0, done.stderr
    assert "failed 0" in done.stderr
    return Path(done.stdout.strip()).parent
