"""Marks that ask for GPUs or leave a cell out; on this machine, and with what another machine has made."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from books_for_tests import CONFIG, TinyBook, cell, executed, outputs, tiny_book
from tabbook.environments import Environment
from tabbook.execute.devices import Gpu, gpus_here, visible
from tabbook.execute.job import Job, Outcome
from tabbook.execute.key import notebook_keys
from tabbook.execute.machine import open_machine
from tabbook.execute.marks import execution_marks, gpus_wanted, is_run, misspelt_marks
from tabbook.execute.store import PageState, Record

ONE, TWO = Gpu("GPU-aa1", "Model A", 1), Gpu("GPU-bb2", "Model B", 1)
NO_GPU = "CUDA_VISIBLE_DEVICES"  # empty, so that these tests say the same where there are GPUs


@pytest.mark.parametrize(
    ("named", "left"),
    [(None, [ONE, TWO]), ("", []), ("1,0", [TWO, ONE]), ("GPU-b", [TWO]), ("0,7,1", [ONE]), ("-1", []), ("x", [])],
)
def test_only_visible_gpus_count(named: str | None, left: list[Gpu]) -> None:
    assert visible((ONE, TWO), named) == tuple(left)


def test_the_driver_is_asked() -> None:
    """Whether or not there is a GPU here, the answer is a list; with none visible it is empty."""
    assert all(gpu.id.startswith("GPU-") and gpu.memory > 0 for gpu in gpus_here({}))
    assert gpus_here({"CUDA_VISIBLE_DEVICES": ""}) == ()


@pytest.mark.parametrize(
    ("source", "wanted", "runs_with"),
    [
        ("x", 0, {0, 1, 2}),
        ("#@gpu\nx", 1, {1, 2}),
        ("x\n  #@gpu 2", 2, {2}),
        ("#@gpu 1 if available\nx", 1, {0, 1, 2}),
        ("#@skip 遅すぎる\nx", 0, set()),
    ],
)
def test_marks_decide_whether_a_cell_is_run(source: str, wanted: int, runs_with: set[int]) -> None:
    assert gpus_wanted(["x", source]) == wanted
    assert {gpus for gpus in range(3) if is_run(execution_marks(source), gpus)} == runs_with


def test_misspelt_marks_are_told_with_their_form() -> None:
    source = "x = 1\n#@gpu two\n#@skip\n#@timeout 3 s\n# @raises ValueError\n#@save\n#@gpu 2"
    assert [(line, mark) for line, mark, _ in misspelt_marks(source)] == [
        (1, "#@gpu two"),
        (2, "#@skip"),
        (3, "#@timeout 3 s"),
        (4, "# @raises ValueError"),
    ]


GPU_PAGE = "# x\n\n" + "".join(
    cell(source, "jax")
    for source in (
        "device = 'cpu'",
        "#@gpu\ndevice = 'gpu'\nprint('needs a GPU')",
        "#@skip この例は1時間かかる。\nraise SystemExit",
        "#@gpu 1 if available\nimport os\nprint(device, repr(os.environ['CUDA_VISIBLE_DEVICES']))",
    )
)


@pytest.fixture(scope="module")
def without_gpu(tmp_path_factory: pytest.TempPathFactory) -> TinyBook:
    book = tiny_book(tmp_path_factory.mktemp("gpu") / "book", {"index": GPU_PAGE})
    done = book.tabbook("html", **{NO_GPU: ""})
    assert executed(done.stderr) == ["index · JAX"]
    assert "failed 0, 1 without the GPUs that cells need;" in done.stderr
    return book


def test_without_a_gpu_the_other_cells_are_run(without_gpu: TinyBook) -> None:
    """What needs one is left out, the rest is run and sees none; readers are told of both omissions, in their place."""
    assert outputs(without_gpu, "index", "jax") == ["", "", "", "cpu ''\n"]
    page = BeautifulSoup(without_gpu.html(), "lxml").get_text()
    needs, slow, printed = (
        page.index(text) for text in ("このセルはGPUを必要とする", "このセルは実行していない。この例は1時間", "cpu ''")
    )
    assert page.index("device = 'gpu'") < needs < page.index("SystemExit") < slow < printed
    assert "#@" not in page
    again = without_gpu.tabbook("execute", **{NO_GPU: ""})
    assert "executed 0 notebooks (0 cells), reused 1" in again.stderr


def test_outputs_of_a_machine_with_a_gpu_are_better(without_gpu: TinyBook) -> None:
    """They are kept under a key of their own, shown wherever the book is built, and exported."""
    book = without_gpu
    selection = book.selection("index", "jax")
    gpu, cpu = notebook_keys(selection, book.config.frameworks["jax"], book.config)
    assert (gpu.parts["device"], cpu.parts["device"]) == ("gpu", "cpu")
    cells = tuple(
        (source, [{"output_type": "stream", "name": "stdout", "text": "gpu\n"}]) for source in gpu.parts["cells"]
    )
    book.store.save(gpu, Record(cells, {"device": "Model A", "device_class": "gpu"}))
    try:
        done = book.tabbook("html", **{NO_GPU: ""})
        assert "executed 0 notebooks (0 cells), reused 1" in done.stderr
        page = book.html()
        assert "このセルはGPUを必要とする" not in page
        assert "（GPU）" in page
        book.tabbook("store", "export", str(book.root / "x.tar.gz"))
        assert book.store.state("jax", "index") != PageState()
        assert book.store.state("jax", "index").key == gpu.digest
    finally:
        book.store.drop(gpu.digest)


def test_gpus_are_handed_out(tmp_path: Path) -> None:
    """A notebook sees the GPUs that are its own, and one without any sees none."""
    book = tiny_book(tmp_path / "book", config=CONFIG)
    environments = {"jax": Environment("jax", book.root / "_build" / "environments" / "jax" / "bin" / "python")}
    job = Job("index", "jax", ("import os\nprint(os.environ['CUDA_VISIBLE_DEVICES'])",), "")

    async def run() -> list[Outcome]:
        async with open_machine(book.config, environments, [ONE, TWO], print) as machine:
            assert machine.node.gpus == (ONE.id, TWO.id)
            return [await machine.run(job, gpus) for gpus in ((), (TWO.id,), (TWO.id, ONE.id))]

    found = asyncio.run(run())
    assert [outcome.outputs[0][0]["text"] for outcome in found] == ["\n", "GPU-bb2\n", "GPU-bb2,GPU-aa1\n"]
    assert [outcome.provenance["device_class"] for outcome in found] == ["cpu", "gpu", "gpu"]
    assert found[1].provenance["device"] == "Model B"


def test_a_demand_that_nobody_can_meet_is_refused_at_once(tmp_path: Path) -> None:
    book = tiny_book(tmp_path / "book", config=CONFIG + "\n[tabbook]\nmemory = 4000000\n")
    done = book.tabbook("execute", status=2)
    assert "no machine has 4000000.0 GiB of memory" in done.stderr
    assert "see `memory` under [tabbook] in config.ini" in done.stderr
    assert executed(done.stderr) == []
