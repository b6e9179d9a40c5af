"""The wheel of the readers' library: what is in it, and that it is all that a reader needs to run every page."""

from __future__ import annotations

import email
import json
import os
import shutil
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from conftest import REPOSITORY, needs_environment
from tabbook.config import load_config
from tabbook.execute.marks import ExecutionMarks, execution_marks, is_run
from tabbook.pages import find_pages, page_name, read_document
from tabbook.pip_settings import uv_index_arguments
from tabbook.select import select

CONFIG = load_config(REPOSITORY)
FRAMEWORKS = CONFIG.tabs
EXTRAS = {tab: CONFIG.frameworks[tab].module for tab in FRAMEWORKS}
NAME = "d2l_ja-0.1.0"
BYTECODE = {"PYTHONDONTWRITEBYTECODE": ""}
"""A new environment has none yet; whoever runs the tests may have forbidden to write it, and it is read seven times."""


def uv(*arguments: str, cwd: Path = REPOSITORY) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uv", *arguments], check=False, capture_output=True, text=True, cwd=cwd, timeout=900
    )
    assert done.returncode == 0, done.stderr


def build(folder: Path, source: Path = REPOSITORY) -> Path:
    """Build the wheel as the Makefile does; uv has the backend built in, so no network is needed."""
    uv("build", "--offline", "--quiet", "--wheel", "--no-create-gitignore", "--out-dir", str(folder), cwd=source)
    return folder / f"{NAME}-py3-none-any.whl"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_holds_the_library_and_its_licence_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if not name.endswith("/")}
        licence = archive.read(f"{NAME}.dist-info/licenses/LICENSE-SAMPLECODE")
    modules = {f"d2l/{name}" for name in ("__init__.py", "py.typed", *(f"{extra}.py" for extra in EXTRAS.values()))}
    about = {f"{NAME}.dist-info/{name}" for name in ("METADATA", "RECORD", "WHEEL", "licenses/LICENSE-SAMPLECODE")}
    assert found == modules | about
    assert licence == (REPOSITORY / "LICENSE-SAMPLECODE").read_bytes()
    assert [path.name for path in wheel.parent.iterdir()] == [wheel.name], "nothing else is put into the site"


def test_the_wheel_says_what_it_is_and_what_each_framework_needs(wheel: Path) -> None:
    """Its name is not that of the other book's library; each extra pins what the book's outputs were made with."""
    with zipfile.ZipFile(wheel) as archive:
        metadata = email.message_from_bytes(archive.read(f"{NAME}.dist-info/METADATA"))
    assert (metadata["Name"], metadata["License-Expression"]) == ("d2l-ja", "MIT")
    assert sorted(metadata.get_all("Provides-Extra") or []) == sorted(EXTRAS.values())
    wanted = metadata.get_all("Requires-Dist") or []
    assert all("extra ==" in each for each in wanted), "no framework is installed unasked"
    for tab, extra in EXTRAS.items():
        pins = (REPOSITORY / "requirements" / f"{tab}.txt").read_text(encoding="utf-8").splitlines()
        exact = [each.split(" ;")[0] for each in wanted if f"'{extra}'" in each and "==" in each.split(" ;")[0]]
        assert exact, extra
        assert set(exact) <= set(pins), extra


def test_the_same_sources_give_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    """Wherever they lie, whenever they were written, and whatever modes their files have."""
    source = tmp_path / "elsewhere"
    shutil.copytree(REPOSITORY / "src" / "d2l", source / "src" / "d2l")
    for name in ("pyproject.toml", "README.md", "LICENSE-SAMPLECODE"):
        shutil.copy(REPOSITORY / name, source)
    for path in source.rglob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    assert build(tmp_path / "out", source).read_bytes() == wheel.read_bytes()


def test_making_the_site_publishes_the_wheel() -> None:
    """`make html` ends with the wheel in the site's folder of downloads; nothing is left of older ones."""
    command = ["make", "--no-print-directory", "--dry-run", "--old-file=_build/environments/site/made", "html"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY, timeout=60).stdout
    last = shown.replace("\\\n", " ").strip().splitlines()[-1]
    assert "rm -f _build/html/_downloads/d2l_ja-*.whl" in last
    assert last.endswith("--out-dir _build/html/_downloads")


# A reader's environment


@dataclass(frozen=True)
class Reader:
    """Somebody who has installed one framework and the wheel, and nothing of this repository."""

    framework: str
    python: Path
    kernels: Path

    def imports(self, name: str) -> str | None:
        """Return the file that a module comes from, once it is imported; None if there is none."""
        code = (
            f"import importlib as i\ntry: print(i.import_module({name!r}).__file__)\nexcept ModuleNotFoundError: pass"
        )
        command = [str(self.python), "-c", code]
        environ = {**os.environ, **BYTECODE}
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=self.kernels, env=environ)
        return done.stdout.strip() or None

    def run(self, notebook: nbformat.NotebookNode, folder: Path) -> None:
        """Run all cells; as in Jupyter, one that fails ends the run, unless it is tagged as one that raises."""
        specs = KernelSpecManager(kernel_dirs=[str(self.kernels)], ensure_native_kernel=False)
        manager = AsyncKernelManager(kernel_name="reader", kernel_spec_manager=specs)
        folder.mkdir()
        NotebookClient(notebook, km=manager, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()


COSTLY = [pytest.param(tab, marks=pytest.mark.costly) for tab in FRAMEWORKS[1:]]


@pytest.fixture(params=[FRAMEWORKS[0], *COSTLY])
def reader(request: pytest.FixtureRequest, wheel: Path, tmp_path: Path) -> Iterator[Reader]:
    """A new environment; uv links its files to those that it has already, so that it takes seconds."""
    needs_environment(request.param)
    folder = tmp_path / "environment"
    python = folder / "bin" / "python"
    uv("venv", "--quiet", "--python", sys.executable, str(folder))
    pins = REPOSITORY / "requirements" / f"{request.param}.txt"
    wanted = [f"d2l-ja[{EXTRAS[request.param]}] @ {wheel.as_uri()}", "ipykernel"]
    uv("pip", "install", "--quiet", "--python", str(python), *uv_index_arguments(), "--constraint", str(pins), *wanted)
    spec = tmp_path / "kernels" / "reader" / "kernel.json"
    spec.parent.mkdir(parents=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    about = {"argv": command, "display_name": "Python 3", "language": "python", "env": BYTECODE}
    spec.write_text(json.dumps(about), encoding="utf-8")
    yield Reader(request.param, python, spec.parent.parent)
    shutil.rmtree(folder)


def fails_without_gpu(cell: nbformat.NotebookNode) -> bool:
    """Tell whether a cell needs a GPU and is not to raise: without one, it would end the run for readers too."""
    marks = execution_marks(cell.source) if cell.cell_type == "code" else ExecutionMarks()
    return not is_run(marks, 0) and marks.raises is None


@pytest.mark.slow
def test_every_downloaded_page_runs_from_top_to_bottom(reader: Reader, tmp_path: Path) -> None:
    """As a reader has it: each page's notebook, one framework, the wheel. Cells that need a GPU are left out."""
    assert reader.imports("tabbook") is None
    assert Path(reader.imports(f"d2l.{EXTRAS[reader.framework]}") or "").is_relative_to(reader.python.parent.parent)
    notebooks = tmp_path / "notebooks"
    command = [sys.executable, "-m", "tabbook", "notebook", "--framework", reader.framework, "--output", str(notebooks)]
    subprocess.run(command, check=True, capture_output=True, cwd=REPOSITORY)
    pages = {name: nbformat.read(notebooks / f"{name}.ipynb", as_version=4) for name in pages_with_code(reader)}
    assert len(pages) >= 7
    for name, page in pages.items():
        if left_out := [cell.source for cell in page.cells if fails_without_gpu(cell)]:
            warnings.warn(f"{name} ({reader.framework}): not run without a GPU: {left_out}", stacklevel=1)
        page.cells = [cell for cell in page.cells if not fails_without_gpu(cell)]
    with ThreadPoolExecutor(2) as pool:
        runs = {name: pool.submit(reader.run, page, tmp_path / name.replace("/", "-")) for name, page in pages.items()}
    failed = {name: str(run.exception()) for name, run in runs.items() if run.exception()}
    assert failed == {}
    assert all(was_executed(page) for page in pages.values())


def pages_with_code(reader: Reader) -> list[str]:
    found = []
    for path in find_pages(CONFIG):
        selection = select(read_document(CONFIG, path), reader.framework, FRAMEWORKS)
        if selection and selection.code:
            found.append(page_name(CONFIG, path))
    return found


def was_executed(notebook: Any) -> bool:
    return all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
