"""An interpreter that exists already as a framework's environment, and outputs that come home from another machine.

The interpreters are real ones, made by uv: they see the packages of the environment that the tests run in, and have
some of their own.
"""

# Longer than 300 lines: one subject from the variable to the reader, whose parts share their interpreters.
# ruff: noqa: E501 - in the tables of cases a case is a line

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from books_for_tests import CONFIG, TinyBook, cell, tiny_book
from tabbook import pins
from tabbook.environments import Environment, EnvironmentFailure, make_environments, requirement_lines
from tabbook.interpreters import (
    Interpreter,
    UnusableInterpreter,
    interpreter_variable,
    named_interpreter,
    read_interpreter,
)
from tabbook.pins import differing_pins, interpreter_notes

PYTORCH = "TABBOOK_PYTHON_PYTORCH"
PINNED = {"tabbook_tiny": "1.0", "tabbook_math": "2.0", "tabbook_plot": "3.0"}
OTHERS = {"tabbook_tiny": "1.5", "tabbook_math": "2.1"}


def run_uv(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", *arguments], check=True, capture_output=True)


def interpreter(folder: Path, packages: dict[str, str], kernels: bool = True) -> Path:
    """Make a virtual environment with these packages and, if it is to run kernels, a view of the tests' own."""
    run_uv("venv", "--quiet", "--python", sys.executable, str(folder / "venv"))
    python = folder / "venv" / "bin" / "python"
    wheels = [str(wheel(folder / "wheels", name, version)) for name, version in packages.items()]
    if wheels:
        run_uv("pip", "install", "--quiet", "--no-index", "--no-deps", "--python", str(python), *wheels)
    if kernels:
        pth = next((folder / "venv").glob("lib/python3*/site-packages")) / "tests.pth"
        pth.write_text(sysconfig.get_path("purelib") + "\n")
    return python


def wheel(folder: Path, name: str, version: str) -> Path:
    """Write a wheel with one module that knows its version."""
    folder.mkdir(parents=True, exist_ok=True)
    info, path = f"{name}-{version}.dist-info", folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", f"version = '{version}'\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path


@pytest.fixture(scope="module")
def pinned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with all that the book pins, one of it in a build of its own, and more."""
    packages = {**PINNED, "tabbook_tiny": "1.0+cu130", "tabbook_more": "9.0"}
    return interpreter(tmp_path_factory.mktemp("pinned"), packages)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with other versions, and without one that is pinned."""
    return interpreter(tmp_path_factory.mktemp("others"), OTHERS)


PAGE = f"# 頁\n\n{cell('import tabbook_tiny', 'pytorch')}\n{cell('print(tabbook_tiny.version[:3])', 'pytorch')}\n{cell('print(3 * 7)', 'jax')}\n"
PAGE_CONFIG = CONFIG.replace("[framework-pytorch]", "[framework-pytorch]\ntitle = PyTorch\npackages = tabbook_tiny")


def pinned_book(root: Path) -> TinyBook:
    """A book whose PyTorch pins the tiny packages, and has no environment: it is a clone on some machine."""
    book = tiny_book(root, {"index": PAGE}, PAGE_CONFIG)
    lines = ["# why", *(f"{name.replace('_', '-')}=={version}" for name, version in PINNED.items())]
    (root / "requirements" / "pytorch.txt").write_text("\n".join([*lines, 'tabbook-win==1 ; sys_platform == "win32"']))
    shutil.rmtree(root / "_build")
    return book


# The variable


@pytest.mark.parametrize(
    ("name", "variable"),
    [("pytorch", PYTORCH), ("my-torch.next", "TABBOOK_PYTHON_MY_TORCH_NEXT"), ("tf2", "TABBOOK_PYTHON_TF2")],
)
def test_the_name_of_the_variable(name: str, variable: str) -> None:
    assert interpreter_variable(name) == variable


def test_a_path_is_made_absolute_and_an_empty_one_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels run in other folders, and make hands over `~` as it is written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/x")
    assert named_interpreter("pytorch", {PYTORCH: "bin/python"}) == tmp_path / "bin/python"
    assert named_interpreter("pytorch", {PYTORCH: "~/bin/python"}) == Path("/home/x/bin/python")
    assert named_interpreter("pytorch", {PYTORCH: " "}) is named_interpreter("pytorch", {}) is None


# Whether it can be used


def test_a_usable_interpreter_is_the_environment_and_stays_as_it_is(
    pinned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is installed: neither into it nor beside it; requirements are not even needed."""
    monkeypatch.setenv(PYTORCH, str(pinned))
    before = sorted(path for path in pinned.parents[1].rglob("*") if "__pycache__" not in path.parts)
    said: list[str] = []
    made = make_environments({"pytorch": tmp_path / "missing.txt"}, tmp_path / "e", said.append)
    assert made == {"pytorch": Environment("pytorch", pinned)}
    assert said == [f"pytorch: {pinned} is used, as {PYTORCH} says; nothing is installed"]
    assert before == sorted(path for path in pinned.parents[1].rglob("*") if "__pycache__" not in path.parts)
    assert list((tmp_path / "e").iterdir()) == []


def old_python(folder: Path) -> Path:
    """A real interpreter that says it is an old one: there is none on a machine that tests run on."""
    python = interpreter(folder, {}, kernels=False)
    package = next((folder / "venv").glob("lib/python3*/site-packages"))
    (package / "old.pth").write_text("import sys; sys.version_info = (3, 9, 2, 'final', 0)\n")
    return python


def script(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "python"
    path.write_text(text)
    path.chmod(0o755)
    return path


def not_executable(folder: Path) -> Path:
    path = script(folder, "")
    path.chmod(0o644)
    return path


UNUSABLE = {
    "no such file": (lambda folder: folder / "none", "there is no such file"),
    "a folder": (lambda folder: folder, "this is a folder; name its interpreter, such as "),
    "no program": (not_executable, "it cannot be started: Permission denied"),
    "another program": (lambda folder: Path("/bin/true"), "it is no Python interpreter"),
    "a program that answers": (lambda folder: script(folder, "#!/bin/sh\necho '{}'\n"), "it is no Python interpreter"),
    "below a file": (lambda folder: script(folder, "") / "python", "there is no such file"),
    "a name too long": (lambda folder: folder.parent / ("x" * 300), "it cannot be reached: File name too long"),
    "one that fails": (lambda folder: script(folder, "#!/bin/sh\necho no CUDA >&2\nexit 3\n"), "it ended with status 3: no CUDA"),
    "an old one": (old_python, "it is Python 3.9; 3.11 or a later one is needed"),
    "one without ipykernel": (lambda folder: interpreter(folder, {}, kernels=False), "its ipykernel cannot be imported, which runs notebooks (it ended with status 1: ModuleNotFoundError: No module named 'ipykernel'); install it there"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNUSABLE)
def test_an_unusable_interpreter_is_a_failure_with_its_reason(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, reason = UNUSABLE[case]
    python = make(tmp_path / "there" if case != "a folder" else tmp_path)
    monkeypatch.setenv(PYTORCH, str(python))
    (tmp_path / "r.txt").write_text("six==1.17.0\n")
    failure = make_environments({"pytorch": tmp_path / "r.txt"}, tmp_path / "e", print)["pytorch"]
    assert isinstance(failure, EnvironmentFailure)
    assert failure.reason.startswith(f"{PYTORCH}={python}: {reason}")
    assert list((tmp_path / "e").iterdir()) == []


def test_an_unusable_interpreter_is_a_letter_and_the_others_go_on(tmp_path: Path) -> None:
    """Nothing that others made is shown as if it had made it; without the variable all is as before."""
    book = tiny_book(tmp_path / "book", {"index": PAGE.replace("tabbook_tiny.version[:3]", "1").replace("tabbook_tiny", "json")}, PAGE_CONFIG)  # fmt: skip
    book.tabbook("execute")
    before = book.key("index", "pytorch").digest
    wrong = {PYTORCH: str(tmp_path / "none")}
    done = book.tabbook("execute", status=1, **wrong)
    assert (
        f"PyTorch: error: its interpreter cannot be used, so its cells were not run: {PYTORCH}={tmp_path}/none: there is no such file"
        in done.stderr
    )
    assert f'hint: correct {PYTORCH}, or unset it, or leave it out: make html FRAMEWORKS="jax"' in done.stderr
    assert "reused 1, failed 0, not executed 1" in done.stderr
    done = book.tabbook("html", "--execute", "never", **wrong)
    assert (
        done.stderr.count(f"PyTorch: error: {PYTORCH}={tmp_path}/none: there is no such file\n    hint: correct") == 1
    )
    assert "前回の実行" in book.html()
    assert "1 fresh, 1 stale" in book.tabbook("status", **wrong).stdout
    assert book.store.state("pytorch", "index").key == before
    assert "2 fresh" in book.tabbook("status").stdout


def test_a_misspelt_variable_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that resembles no framework of the book may be another book's."""
    book = tiny_book(tmp_path / "book")
    monkeypatch.setenv("TABBOOK_PYTHON_PYTOCH", "/x")
    monkeypatch.setenv("TABBOOK_PYTHON_MXNET", "/x")
    note = "TABBOOK_PYTHON_PYTOCH: this book has no such framework, so nothing is run by it; did you mean `pytorch`?"
    assert interpreter_notes(book.config, ["jax"]) == [note]


# The key


def installed(python: Path) -> Interpreter:
    found = read_interpreter(python)
    assert isinstance(found, Interpreter)
    return found


def test_an_interpreter_with_all_pins_has_the_key_of_the_made_environment(
    pinned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Local segments, further packages, and pins for other systems do not count; nor where the interpreter lies."""
    book = pinned_book(tmp_path / "book")
    made = book.key("index", "pytorch")
    monkeypatch.setenv(PYTORCH, str(pinned))
    assert book.key("index", "pytorch") == made
    assert interpreter_notes(book.config, book.config.tabs) == []


def test_an_interpreter_with_other_versions_has_a_key_of_its_own(
    others: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what differs, the framework's own package first; the other framework keeps its key."""
    book = pinned_book(tmp_path / "book")
    made, jax = book.key("index", "pytorch"), book.key("index", "jax")
    monkeypatch.setenv(PYTORCH, str(others))
    own = book.key("index", "pytorch")
    assert own.digest != made.digest
    assert own.parts == {**made.parts, "requirements": own.parts["requirements"]}
    assert re.fullmatch(r"installed [0-9a-f]{64}", own.parts["requirements"])
    assert book.key("index", "jax") == jax
    what = "tabbook-tiny 1.5 instead of 1.0, tabbook-math 2.1 instead of 2.0, tabbook-plot is missing"
    note = f"PyTorch: outputs made with {PYTORCH} have a key of their own: 3 pins differ ({what})"
    assert interpreter_notes(book.config, ["pytorch"]) == [note]
    assert interpreter_notes(book.config, ["jax"]) == []


def test_that_key_is_of_all_that_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same packages elsewhere give the same key, one package more another one."""
    book = pinned_book(tmp_path / "book")
    keys = []
    for name, packages in {"a": OTHERS, "b": OTHERS, "c": {**OTHERS, "tabbook_more": "1"}}.items():
        monkeypatch.setenv(PYTORCH, str(interpreter(tmp_path / name, packages, kernels=False)))
        keys.append(book.key("index", "pytorch").digest)
    assert keys[0] == keys[1] != keys[2]


def test_without_pins_every_interpreter_has_a_key_of_its_own(
    pinned: Path, others: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = pinned_book(tmp_path / "book")
    (book.root / "requirements" / "pytorch.txt").write_text("# none\n")
    keys = {book.key("index", "pytorch").digest}
    for python in (pinned, others):
        monkeypatch.setenv(PYTORCH, str(python))
        keys.add(book.key("index", "pytorch").digest)
    assert len(keys) == 3
    assert "1 pin differs (no version is pinned)" in interpreter_notes(book.config, ["pytorch"])[0]


def test_the_version_of_python_is_the_interpreters_own(
    pinned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where tabbook itself runs in another version, the outputs still are those of the interpreter's."""
    book = pinned_book(tmp_path / "book")
    made = book.key("index", "pytorch")
    monkeypatch.setattr(pins, "sys", type("Sys", (), {"version_info": type("Info", (), {"major": 3, "minor": 99})}))
    assert book.key("index", "pytorch").parts["python"] == "3.99"
    monkeypatch.setenv(PYTORCH, str(pinned))
    assert book.key("index", "pytorch") == made
    note = interpreter_notes(book.config, ["pytorch"])
    assert note == [
        f"PyTorch: outputs made with {PYTORCH} have a key of their own: Python {made.parts['python']} instead of 3.99"
    ]


LINUX = (("sys_platform", "linux"), ("python_version", "3.11"), ("platform_machine", "x86_64"))
HAS = Interpreter(Path("/x"), "3.11", (("jaxlib", "0.10.2"), ("odd", "1.0-unknown"), ("torch", "2.13.0+cu130")), LINUX)


@pytest.mark.parametrize(
    ("line", "differs"),
    [
        ("torch==2.13.0", ""),
        ("torch==2.13.0+cpu", ""),
        ("torch==2.13", ""),
        ("Torch == 2.13.*", ""),
        ("torch[opt]==2.13.0", ""),
        ("torch>=2,<3", ""),
        ("torch", ""),
        ("torch==2.9.1", "torch 2.13.0+cu130 instead of 2.9.1"),
        ("torch<2", "torch 2.13.0+cu130 instead of <2"),
        ("torch==2.13.0rc1", "torch 2.13.0+cu130 instead of 2.13.0rc1"),
        ("numpy==2.4.6", "numpy is missing"),
        ('numpy==2.4.6 ; python_version < "3.11"', ""),
        ('numpy==2.4.6 ; sys_platform == "linux"', "numpy is missing"),
        ("odd==1.0", "odd 1.0-unknown instead of 1.0"),
        ("jaxlib @ https://example.org/jaxlib-0.10.2.whl#sha256=1", "jaxlib 0.10.2 instead of what its address holds"),
        ("--index-url https://example.org/simple", ""),
        ("-f https://example.org/wheels", ""),
        ("-r other.txt", "`-r other.txt` is not compared"),
        ("./torch.whl", "`./torch.whl` is not compared"),
    ],
)  # fmt: skip
def test_pins_and_installed_versions(line: str, differs: str) -> None:
    """A build's local segment does not count; what cannot be compared is no version that is known to be equal."""
    assert list(differing_pins((line,), HAS).values()) == ([differs] if differs else [])


def test_lines_of_requirements(tmp_path: Path) -> None:
    """Continued lines are one, without their hashes, comments and empty lines."""
    file = tmp_path / "r.txt"
    file.write_text("# a\na==1 \\\n    --hash=sha256:1 \\\n    --hash=sha256:2\n\nb==2  # why\n--pre\n")
    assert requirement_lines(file) == ("a==1", "b==2", "--pre")
    assert requirement_lines(None) == requirement_lines(tmp_path / "none") == ()


def test_packages_count_wherever_kernels_find_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's own packages are seen where Python sees them; PYTHONPATH, which kernels do not get, is not."""
    folder = tmp_path / "venv"
    run_uv("venv", "--quiet", "--system-site-packages", "--python", sys.executable, str(folder))
    monkeypatch.setenv("PYTHONUSERBASE", str(tmp_path / "user"))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for place, name in ((tmp_path / "user" / "lib" / version / "site-packages", "user"), (tmp_path / "path", "path")):
        place.mkdir(parents=True)
        with zipfile.ZipFile(wheel(tmp_path, f"tabbook_{name}", "1")) as archive:
            archive.extractall(place)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    names = [name for name, _ in installed(folder / "bin" / "python").packages]
    assert "tabbook-user" in names
    assert "tabbook-path" not in names


def test_an_interpreter_is_started_once_a_process_and_not_without_its_variable(
    pinned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    python = script(tmp_path / "bin", f'#!/bin/sh\necho started >> {log}\nexec {pinned} "$@"\n')
    book = pinned_book(tmp_path / "book")
    book.key("index", "pytorch")
    assert not log.exists()
    monkeypatch.setenv(PYTORCH, str(python))
    for _ in range(3):
        book.key("index", "pytorch")
        interpreter_notes(book.config, ["pytorch"])
    assert log.read_text() == "started\n"


# Two machines

NOTICE, OLD = "この環境では実行していない", "示した出力は前回の実行のものである"


def panel(book: TinyBook, framework: str) -> str:
    from bs4 import BeautifulSoup  # noqa: PLC0415

    panels = BeautifulSoup(book.html(), "html.parser").select(f'.framework-panel[data-framework~="{framework}"]')
    return " ".join(found.get_text(" ") for found in panels)


def test_outputs_made_where_the_gpu_is_are_everyones(
    pinned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two clones: one executes with its own interpreter, the other has no environment, starts nothing, and shows it."""
    away, home = pinned_book(tmp_path / "away" / "clone"), pinned_book(tmp_path / "home")
    store = tmp_path / "away" / "store"
    done = away.tabbook("execute", "--framework", "pytorch", "--store", str(store), **{PYTORCH: str(pinned)})
    assert "executed 1 notebook (2 cells), reused 0, failed 0" in done.stderr
    assert "key of their own" not in done.stderr
    assert not (away.root / "_build" / "environments" / "pytorch").exists()

    def no_process(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    with monkeypatch.context() as context:
        context.setattr(subprocess, "Popen", no_process)
        done = home.tabbook("html", "--execute", "never", "--store-url", str(store))
    assert done.stderr == ""
    assert "1.0" in panel(home, "pytorch")
    assert NOTICE not in panel(home, "pytorch")
    assert NOTICE in panel(home, "jax")
    again = away.tabbook("execute", "--framework", "pytorch", "--store", str(store), **{PYTORCH: str(pinned)})
    assert "executed 0 notebooks (0 cells), reused 1" in again.stderr


def test_outputs_of_other_versions_come_home_as_older_ones(others: Path, tmp_path: Path) -> None:
    """They are not taken for the pinned versions': shown with a notice and their versions, by archive and by folder."""
    away, home = pinned_book(tmp_path / "away"), pinned_book(tmp_path / "home")
    variable = {PYTORCH: str(others)}
    done = away.tabbook("execute", "--framework", "pytorch", **variable)
    assert done.stderr.count("PyTorch: outputs made with") == 1
    assert "3 pins differ (tabbook-tiny 1.5 instead of 1.0, " in done.stderr
    archive = str(tmp_path / "gpu.tar.gz")
    away.tabbook("store", "export", archive, "--framework", "pytorch", **variable)
    home.tabbook("store", "import", archive)
    for folder, arguments in ((home, []), (pinned_book(tmp_path / "third"), ["--store-url", str(away.store.folder)])):
        folder.tabbook("html", "--execute", "never", *arguments)
        text = panel(folder, "pytorch")
        assert OLD in text
        assert "1.5" in text
        assert "PyTorchで実行して得た" in text or "PyTorch 1.5で実行して得た" in text
        assert "1 stale" in folder.tabbook("status", "--framework", "pytorch", *arguments).stdout
    assert "1 fresh" in away.tabbook("status", "--framework", "pytorch", **variable).stdout


def test_the_command_checks_the_interpreter_ahead_of_time(pinned: Path, tmp_path: Path) -> None:
    book = pinned_book(tmp_path / "book")
    assert "nothing is installed" in book.tabbook("environments", "pytorch", **{PYTORCH: str(pinned)}).stderr
    done = book.tabbook("environments", "pytorch", status=1, **{PYTORCH: "/none"})
    hint = f"correct {PYTORCH}, or unset it"
    assert done.stderr == f"pytorch: error: {PYTORCH}=/none: there is no such file\n    hint: {hint}\n"


def test_what_cannot_be_read_is_not_tried_again(tmp_path: Path) -> None:
    """A page has many keys; an interpreter that hangs is waited for once."""
    log = tmp_path / "log"
    python = script(tmp_path / "bin", f"#!/bin/sh\necho started >> {log}\nexit 1\n")
    for _ in range(3):
        assert isinstance(read_interpreter(python), UnusableInterpreter)
    assert log.read_text() == "started\n"
