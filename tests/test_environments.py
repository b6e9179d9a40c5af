"""Environments made on demand by the real uv, remade when their pins change, and what happens without one."""

# ruff: noqa: E501 - in the tables of cases a case is a line

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from books_for_tests import CONFIG, PAGE, TinyBook, cell, tiny_book
from tabbook.environments import (
    Environment,
    EnvironmentFailure,
    environment_stamp,
    make_environments,
    requirements_digest,
)
from tabbook.pip_settings import uv_index_arguments

NOTICE = "この環境では実行していない"


def requirements(folder: Path, text: str, name: str = "tiny.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def build_wheel(folder: Path, name: str, version: str) -> None:
    """Build a wheel with one module, by hand: a wheel is a zip file with three files of metadata."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"version = '{version}'\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of wheels that pip is told of; nothing else is to be found."""
    folder = tmp_path / "wheels"
    for version in ("1.0", "2.0"):
        build_wheel(folder, "tabbook_tiny", version)
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    uv_index_arguments.cache_clear()
    yield folder
    uv_index_arguments.cache_clear()


def version_in(made: Environment | EnvironmentFailure, module: str = "tabbook_tiny") -> str:
    assert isinstance(made, Environment), made
    code = f"import {module}; print(getattr({module}, 'version', None) or {module}.__version__)"
    return subprocess.run([made.python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_the_digest_is_of_pins_alone(tmp_path: Path) -> None:
    """Comments, blank lines and the order of lines are no reason to install anything."""
    first = requirements_digest(requirements(tmp_path, "a==1\nb==2\n"))
    assert requirements_digest(requirements(tmp_path, "# why\n\nb==2  # why not\n  a==1\n")) == first
    assert requirements_digest(requirements(tmp_path, "a==1\nb==3\n")) != first
    assert requirements_digest(requirements(tmp_path, "a==1\n")) != first
    assert requirements_digest(None) == requirements_digest(tmp_path / "missing.txt") == ""


def test_the_digest_keeps_addresses_whole(tmp_path: Path) -> None:
    """A `#` within a word begins no comment: `#sha256=…` and `#egg=…` are part of an address."""
    one = requirements_digest(requirements(tmp_path, "a @ https://x/a.whl#sha256=1\n"))
    assert requirements_digest(requirements(tmp_path, "a @ https://x/a.whl#sha256=2\n")) != one


def test_an_environment_from_the_real_index(tmp_path: Path) -> None:
    """A pinned package comes from where this machine's pip looks for packages."""
    said: list[str] = []
    made = make_environments({"tiny": requirements(tmp_path, "six==1.17.0\n")}, tmp_path / "environments", said.append)
    assert version_in(made["tiny"], "six") == "1.17.0"
    assert said == ["tiny: installing the packages of tiny.txt", "tiny: environment ready"]


def test_pips_find_links_are_handed_to_uv(tmp_path: Path, wheels: Path) -> None:
    """A folder of wheels that only pip is told of, such as one with CPU builds, is where uv finds a package."""
    made = make_environments({"tiny": requirements(tmp_path, "tabbook-tiny==1.0\n")}, tmp_path / "e", lambda text: None)
    assert version_in(made["tiny"]) == "1.0"


def test_an_environment_is_remade_when_its_pins_change_and_not_otherwise(tmp_path: Path, wheels: Path) -> None:
    """A comment changes nothing; another pin replaces the environment by a new one."""
    said: list[str] = []

    def make(text: str) -> tuple[str, tuple[int, int]]:
        made = make_environments({"tiny": requirements(tmp_path, text)}, tmp_path / "e", said.append)
        stat = (tmp_path / "e" / "tiny" / "bin" / "python").lstat()
        return version_in(made["tiny"]), (stat.st_ino, stat.st_mtime_ns)

    version, first = make("tabbook-tiny==1.0\n")
    assert version == "1.0"
    said.clear()
    assert make("# a comment\ntabbook-tiny==1.0\n") == ("1.0", first)
    assert said == []
    version, second = make("tabbook-tiny==2.0\n")
    assert version == "2.0"
    assert second != first
    assert said == ["tiny: installing the packages of tiny.txt", "tiny: environment ready"]


def test_an_environment_that_lost_its_interpreter_is_remade(tmp_path: Path, wheels: Path) -> None:
    pins = {"tiny": requirements(tmp_path, "tabbook-tiny==1.0\n")}
    make_environments(pins, tmp_path / "e", lambda text: None)
    shutil.rmtree(tmp_path / "e" / "tiny" / "bin")
    assert version_in(make_environments(pins, tmp_path / "e", lambda text: None)["tiny"]) == "1.0"


def test_an_installation_that_stopped_halfway_is_not_taken_for_ready(tmp_path: Path, wheels: Path) -> None:
    """The stamp is written last: after a failure the same pins are tried again."""
    pins = {"tiny": requirements(tmp_path, "tabbook-tiny==3.0\n")}
    first = make_environments(pins, tmp_path / "e", lambda text: None)["tiny"]
    assert isinstance(first, EnvironmentFailure)
    assert "tabbook-tiny==3.0" in first.reason
    build_wheel(wheels, "tabbook_tiny", "3.0")
    assert version_in(make_environments(pins, tmp_path / "e", lambda text: None)["tiny"]) == "3.0"


def test_environments_are_made_side_by_side_and_fail_one_by_one(tmp_path: Path, wheels: Path) -> None:
    wanted = {
        "good": requirements(tmp_path, "tabbook-tiny==1.0\n", "good.txt"),
        "bad": requirements(tmp_path, "no-such-package-xyz==1\n", "bad.txt"),
        "other": requirements(tmp_path, "tabbook-tiny==2.0\n", "other.txt"),
        "missing": tmp_path / "missing.txt",
        "unnamed": None,
    }
    made = make_environments(wanted, tmp_path / "e", lambda text: None)
    assert list(made) == list(wanted)
    assert (version_in(made["good"]), version_in(made["other"])) == ("1.0", "2.0")
    reasons = {name: result.reason for name, result in made.items() if isinstance(result, EnvironmentFailure)}
    assert set(reasons) == {"bad", "missing", "unnamed"}
    assert "no-such-package-xyz" in reasons["bad"]
    assert "missing.txt does not exist" in reasons["missing"]
    assert "[framework-unnamed]" in reasons["unnamed"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"PIP_INDEX_URL": "https://a/simple"}, ["--default-index", "https://a/simple"]),
        ({"PIP_INDEX_URL": "https://a/simple", "UV_DEFAULT_INDEX": "https://b"}, []),
        ({"PIP_EXTRA_INDEX_URL": "https://a https://b"}, ["--index", "https://a", "--index", "https://b", "--index-strategy", "unsafe-best-match"]),
        ({"PIP_EXTRA_INDEX_URL": "https://a", "UV_INDEX": "https://c"}, []),
        ({"PIP_FIND_LINKS": "https://a /b"}, ["--find-links", "https://a", "--find-links", "/b"]),
        ({"PIP_FIND_LINKS": "/b", "UV_FIND_LINKS": "/c"}, []),
        ({"PIP_TRUSTED_HOST": "a b"}, ["--allow-insecure-host", "a", "--allow-insecure-host", "b"]),
        ({"PIP_NO_INDEX": "true"}, ["--no-index"]),
        ({"PIP_NO_INDEX": "0"}, []),
    ],
)  # fmt: skip
def test_pips_settings_in_uvs_words(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: list[str]
) -> None:
    """Each of pip's settings becomes uv's; what uv is told itself goes first."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    uv_index_arguments.cache_clear()
    try:
        assert list(uv_index_arguments()) == expected
    finally:
        uv_index_arguments.cache_clear()


def test_pips_configuration_files_are_read_and_variables_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    settings = tmp_path / "pip.conf"
    settings.write_text("[global]\nfind-links =\n    /one\n    /two\nindex-url = https://file/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    monkeypatch.setenv("PIP_INDEX_URL", "https://variable/simple")
    uv_index_arguments.cache_clear()
    try:
        assert list(uv_index_arguments()) == [
            "--find-links", "/one", "--find-links", "/two", "--default-index", "https://variable/simple",
        ]  # fmt: skip
    finally:
        uv_index_arguments.cache_clear()


def without_jax(book: TinyBook) -> None:
    """Ask for a package that does not exist in JAX's environment."""
    shutil.rmtree(book.root / "_build" / "environments" / "jax")
    (book.root / "requirements" / "jax.txt").write_text("no-such-package-xyz==1\n")


def test_a_framework_that_cannot_be_installed_is_reported_once_and_the_others_go_on(tmp_path: Path) -> None:
    """Its cells are shown with a notice, in its panel alone; the exit status is 1."""
    book = tiny_book(tmp_path / "book", {"index": PAGE, "other": PAGE.replace("sec_tiny", "sec_other")})
    without_jax(book)
    done = book.tabbook("html", status=1)
    assert done.stderr.count("JAX: error: its environment could not be made") == 1
    assert 'make html FRAMEWORKS="pytorch"' in done.stderr
    assert "executed 1 notebook (3 cells), reused 1, failed 0, not executed 2;" in done.stderr
    panels = panels_of(book)
    assert all(NOTICE in text for text in panels["jax"])
    assert len(panels["jax"]) == 2
    assert not any(NOTICE in text for text in panels["pytorch"])
    assert any("from torch" in text for text in panels["pytorch"])
    assert book.html().count(NOTICE) == len(panels["jax"])


def test_the_last_stored_outputs_are_shown_where_there_are_any(tmp_path: Path) -> None:
    """Cells that have not changed since keep their outputs, and it is said that they are old."""
    book = tiny_book(tmp_path / "book")
    book.tabbook("execute")
    without_jax(book)
    book.edit("docs/index.md", "6 * 7", "6 * 8")
    book.tabbook("html", status=1)
    panels = panels_of(book)
    shown = " ".join(panels["jax"])
    assert "from jax" in shown
    assert "示した出力は前回の実行のものである" in shown
    assert "42" not in shown, "an output of other code is not shown"
    assert "前回の実行" not in " ".join(panels["pytorch"])
    assert "48" in " ".join(panels["pytorch"])


def test_execute_never_needs_no_environment(tmp_path: Path) -> None:
    """With `--execute never` nothing is installed or run; what the store has is shown."""
    book = tiny_book(tmp_path / "book")
    book.tabbook("execute", "--framework", "pytorch")
    shutil.rmtree(book.root / "_build" / "environments")
    done = book.tabbook("html", "--execute", "never")
    assert done.stderr == ""
    assert not (book.root / "_build" / "environments").exists()
    panels = panels_of(book)
    assert any("from torch" in text for text in panels["pytorch"])
    assert all(NOTICE in text for text in panels["jax"])


def test_only_the_chosen_frameworks_environment_is_made(tmp_path: Path) -> None:
    """`--framework pytorch` does not touch the others' environments, and the other framework says so on the page."""
    book = tiny_book(tmp_path / "book")
    without_jax(book)
    done = book.tabbook("html", "--framework", "pytorch")
    assert "jax" not in done.stderr.lower()
    assert all(NOTICE in text for text in panels_of(book)["jax"])


def test_the_command_makes_environments_ahead_of_time(tmp_path: Path) -> None:
    """`tabbook environments` names what is ready, and fails for a name without requirements."""
    book = tiny_book(tmp_path / "book", {"index": cell("1")}, CONFIG)
    assert book.tabbook("environments").stderr == "", "both are up to date"
    done = book.tabbook("environments", "jax", "d2lbook", status=1)
    assert "d2lbook: error:" in done.stderr
    assert "d2lbook.txt does not exist" in done.stderr
    stamp = book.root / "_build" / "environments" / "jax" / "made-from.txt"
    assert stamp.read_text() == environment_stamp(book.root / "requirements" / "jax.txt")


def panels_of(book: TinyBook, page: str = "index") -> dict[str, list[str]]:
    """Return the text of each framework's panels that hold code."""
    from bs4 import BeautifulSoup  # noqa: PLC0415

    soup = BeautifulSoup(book.html(page), "html.parser")
    return {
        name: [
            panel.get_text(" ")
            for panel in soup.select(f'.framework-panel[data-framework~="{name}"]')
            if panel.select(".cell")
        ]
        for name in ("pytorch", "jax")
    }
