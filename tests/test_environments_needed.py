"""Tests that need an environment are skipped by name, or fail where nothing may be skipped."""

from __future__ import annotations

import pytest

from conftest import needs_environment


def test_missing_environment_skips_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test without its environment is skipped with the environment's name as the reason."""
    monkeypatch.delenv("TABBOOK_NO_SKIP", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"`nowhere` is missing: _build/environments/nowhere/"):
        needs_environment("nowhere")


def test_missing_environment_fails_where_nothing_may_be_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """With TABBOOK_NO_SKIP=1 a missing environment is a failure."""
    monkeypatch.setenv("TABBOOK_NO_SKIP", "1")
    with pytest.raises(pytest.fail.Exception, match="`nowhere` is missing"):
        needs_environment("nowhere")
