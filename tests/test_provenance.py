"""Where outputs come from: read from an environment without running it, and told at the foot of the page."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag

from books_for_tests import CONFIG, PAGE, TinyBook, cell, tiny_book
from conftest import needs_environment
from tabbook.execute import provenance
from tabbook.execute.provenance import cpu_model, environment_versions, execution_date
from tabbook.execute.store import PageState, Record


def environment(folder: Path, packages: dict[str, str], settings: str = "version_info = 3.11.4\n") -> Path:
    """Make what a closed virtual environment looks like from outside; there is no interpreter to ask."""
    site = folder / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\n{settings}include-system-site-packages = false\n")
    for name, version in packages.items():
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        module = name.removesuffix("-cpu").replace("-", "_")
        (info / "RECORD").write_text(f"{module}/__init__.py,,\n{module}_more/__init__.py,,\n")
    return folder / "bin" / "python"


def test_versions_are_read_from_outside(tmp_path: Path) -> None:
    """In the given order, Python last; what is not there is left out, and nothing is run."""
    python = environment(tmp_path, {"torch": "2.13.0+cpu", "numpy": "2.3.0", "Flax": "0.12"})
    found = environment_versions(python, ["torch", "flax", "no-such-package"])
    assert list(found.items()) == [("torch", "2.13.0+cpu"), ("flax", "0.12"), ("python", "3.11.4")]


def test_a_package_may_be_named_as_it_is_imported(tmp_path: Path) -> None:
    python = environment(tmp_path, {"tensorflow-cpu": "2.21.0", "tensorflow-more": "9"}, "version = 3.11.2\n")
    assert environment_versions(python, ["tensorflow"]) == {"tensorflow": "2.21.0", "python": "3.11.2"}


def test_an_interpreter_that_is_no_environment_is_asked() -> None:
    python = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    asked = subprocess.run(
        [python, "-I", "-c", "import platform, pip; print(platform.python_version(), pip.__version__)"],
        check=True,
        capture_output=True,
        text=True,
    )
    version, pip = asked.stdout.split()
    assert environment_versions(python, ["pip"]) == {"pip": pip, "python": version}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "package"), [("pytorch", "torch"), ("mxnet", "mxnet"), ("jax", "flax"), ("tensorflow", "tensorflow")]
)
def test_versions_of_the_real_environments(name: str, package: str) -> None:
    """They are those that the requirements pin."""
    python = needs_environment(name)
    pinned = re.search(
        rf"^{package}(?:-cpu)?==([\d.]+)", (Path("requirements") / f"{name}.txt").read_text(), re.MULTILINE
    )
    assert pinned
    assert environment_versions(python, [package])[package].split("+")[0] == pinned[1]


def test_the_processor_has_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """That of /proc/cpuinfo where there is one, otherwise what the platform calls it."""
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some  CPU @ 2.0GHz\nprocessor\t: 1\n")
    monkeypatch.setattr(provenance, "_CPU_INFO", tmp_path / "cpuinfo")
    assert cpu_model() == "Some CPU @ 2.0GHz"
    monkeypatch.setattr(provenance, "_CPU_INFO", tmp_path / "missing")
    assert cpu_model()


def test_the_date_is_that_of_source_date_epoch() -> None:
    assert execution_date({"SOURCE_DATE_EPOCH": "1763856000"}) == "2025-11-23T00:00:00+00:00"
    assert execution_date({}) > "2026-01-01"
    assert execution_date({"SOURCE_DATE_EPOCH": "soon"}) > "2026-01-01"


# On the page

ORIGIN = {
    "date": "2026-11-03T10:20:30+00:00",
    "duration": 12.5,
    "device": "Some CPU <8 cores>",
    "versions": {"numpy": "2.3.0", "python": "3.11.7", "torch": "2.13.0+cpu"},
}


LESS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "what-is-no-origin": {"date": 5, "versions": ["x"], "device": None},
    "no-date": {"date": "soon"},
}


def fill(book: TinyBook, page: str, framework: str, origin: dict[str, Any] = ORIGIN, **changes: Any) -> str:
    """Put outputs of the page's present cells into the book's store, as an execution would; return their key."""
    key = book.key(page, framework)
    text = [{"output_type": "stream", "name": "stdout", "text": "2" if page == "shared" else framework}]
    book.store.drop(key.digest)
    book.store.save(key, Record(tuple((source, text) for source in key.parts["cells"]), {**origin, **changes}))
    book.store.note(framework, page, PageState(key=key.digest, seconds=1.0))
    return key.digest


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> TinyBook:
    """A book whose pages tell every kind of origin, built once."""
    pages = {
        "index": PAGE,
        "shared": "# 同じページ\n\n## 節\n\n" + cell("1 + 1", "pytorch, jax"),
        "prose": "# 文だけのページ\n\n文である。\n",
        "unexecuted": "# 実行していないページ\n\n" + cell("'not executed'", "jax"),
        "gpu": "# GPUのページ\n\n" + cell("'gpu'", "jax"),
        "older": "# 古いページ\n\n" + cell("'then'", "jax"),
        **{page: f"# {page}\n\n" + cell(f"'{page}'", "jax") for page in LESS},
    }
    book = tiny_book(tmp_path_factory.mktemp("origins") / "book", pages)
    fill(book, "index", "pytorch")
    fill(book, "index", "jax", versions={"flax": "0.12", "jax": "0.10.2", "python": "3.11.7"})
    for framework in ("pytorch", "jax"):
        fill(book, "shared", framework)
    fill(book, "gpu", "jax", device="NVIDIA H200", device_class="gpu", versions={"python": "3.11.7"})
    fill(book, "older", "jax", date="2025-01-02T00:00:00+00:00")
    for page, origin in LESS.items():
        fill(book, page, "jax", origin)
    book.edit("docs/older.md", "'then'", "'now'")
    book.tabbook("html", "--execute", "never")
    return book


def page(book: TinyBook, name: str = "index") -> BeautifulSoup:
    return BeautifulSoup(book.html(name), "html.parser")


def rows(details: Tag) -> dict[str, str]:
    names = [name.get_text() for name in details.select("dt")]
    return dict(zip(names, [value.get_text() for value in details.select("dd")], strict=True))


def test_each_framework_has_a_folded_line_at_the_foot(book: TinyBook) -> None:
    """In its own panel, behind all that the page says, with the framework's own package first."""
    soup = page(book)
    torch, jax = soup.select("details.provenance")
    panels = [details.find_parent(class_="framework-panel")["data-framework"] for details in (torch, jax)]
    assert panels == ["pytorch", "jax"]
    assert not torch.has_attr("open")
    assert torch.summary.get_text() == "この出力はPyTorch 2.13.0で実行して得た（2026年11月3日、CPU）"
    assert jax.summary.get_text() == "この出力はJAX 0.10.2で実行して得た（2026年11月3日、CPU）"
    assert list(rows(torch).items()) == [
        ("torch", "2.13.0+cpu"),
        ("numpy", "2.3.0"),
        ("Python", "3.11.7"),
        ("デバイス", "Some CPU <8 cores>"),
        ("実行した日時", "2026-11-03T10:20:30+00:00"),
        ("鍵", book.key("index", "pytorch").digest[:12]),
    ]
    section = soup.select_one("article section")
    assert section.find_all(recursive=False)[-1] == torch.find_parent(class_="framework-group")


def test_a_gpu_is_named(book: TinyBook) -> None:
    (details,) = page(book, "gpu").select("details.provenance")
    assert details.summary.get_text() == "この出力はJAXで実行して得た（2026年11月3日、GPU）"
    assert rows(details)["デバイス"] == "NVIDIA H200"


def test_a_page_without_a_switch_has_a_line_for_each_framework(book: TinyBook) -> None:
    soup = page(book, "shared")
    assert not soup.select(".framework-switch, .framework-panel")
    said = [summary.get_text() for summary in soup.select("article > section > details.provenance > summary")]
    assert [text.split("で")[0] for text in said] == ["この出力はPyTorch 2.13.0", "この出力はJAX"]


@pytest.mark.parametrize("name", ["prose", "unexecuted"])
def test_a_page_without_outputs_has_no_line(book: TinyBook, name: str) -> None:
    assert "provenance" not in book.html(name)


def test_older_outputs_have_their_own_origin(book: TinyBook) -> None:
    """Of code that has changed since, the page still shows what was; so is its date."""
    (details,) = page(book, "older").select("details.provenance")
    assert "2025年1月2日" in details.summary.get_text()
    assert rows(details)["鍵"] == book.store.state("jax", "older").key[:12]
    assert rows(details)["鍵"] != book.key("older", "jax").digest[:12]


@pytest.mark.parametrize("name", LESS)
def test_a_record_that_knows_less_says_less(book: TinyBook, name: str) -> None:
    """Outputs of an older tabbook, or from elsewhere, may say nothing of their origin."""
    (details,) = page(book, name).select("details.provenance")
    assert details.summary.get_text() == "この出力はJAXで実行して得た（CPU）"
    assert rows(details)["鍵"] == book.key(name, "jax").digest[:12]


def test_durations_are_not_on_the_page_and_dates_are(tmp_path: Path) -> None:
    """The same outputs that took longer give the same bytes; made on another day, the page says so at once."""
    book = tiny_book(tmp_path / "book")

    def page_with(**changes: Any) -> str:
        fill(book, "index", "jax", **changes)
        book.tabbook("html", "--execute", "never")
        return book.html()

    first = page_with(duration=4321.0)
    assert "4321" not in first
    assert page_with(duration=99.5) == first
    assert "2026年12月24日" in page_with(date="2026-12-24T00:00:00+00:00")


def test_english_books_say_it_in_english(tmp_path: Path) -> None:
    book = tiny_book(tmp_path / "book", config=CONFIG.replace("lang = ja", "lang = en"))
    fill(book, "index", "pytorch")
    book.tabbook("html", "--execute", "never")
    (details,) = page(book).select("details.provenance")
    assert details.summary.get_text() == "These outputs were made with PyTorch 2.13.0 (2026-11-03, CPU)"
    assert list(rows(details))[-3:] == ["Device", "Executed", "Key"]


def test_other_formats_have_no_such_line(tmp_path: Path) -> None:
    book = tiny_book(tmp_path / "book")
    fill(book, "index", "pytorch")
    (book.root / "conf.py").write_text(
        "from pathlib import Path\nfrom tabbook.sphinx_ext.settings import sphinx_settings\n"
        "globals().update(sphinx_settings(Path(__file__).parent))\n"
    )
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "text", "-c", str(book.root), str(book.root / "docs")]
    subprocess.run([*command, str(tmp_path / "text")], check=True, timeout=60)
    assert "2.13.0" not in (tmp_path / "text" / "index.txt").read_text(encoding="utf-8")


def test_an_execution_notes_where_its_outputs_come_from(tmp_path: Path) -> None:
    """Two builds under one SOURCE_DATE_EPOCH give the same page, from two executions."""
    pages = []
    for name in ("one", "two"):
        book = tiny_book(tmp_path / name / "book", {"index": "# 本\n\n" + cell("1 + 1", "jax")})
        book.tabbook("html", SOURCE_DATE_EPOCH="1793664000")
        pages.append(book.html())
    assert "この出力はJAXで実行して得た（2026年11月3日、CPU）" in pages[0]
    assert pages[0] == pages[1]
