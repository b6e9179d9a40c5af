"""The real book: every framework's real outputs on its pages, and nothing that does not belong there."""

# ruff: noqa: E501 - in the tables of cases a case is a line

from __future__ import annotations

import functools
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import pytest
from bs4 import BeautifulSoup
from bs4.element import Tag

from conftest import REPOSITORY
from tabbook.config import load_config
from tabbook.dialect.cell_marks import without_hide_marks
from tabbook.dialect.elements import page_elements
from tabbook.document import Document, TextCell
from tabbook.execute.published import publish
from tabbook.execute.store import OutputStore
from tabbook.pages import find_pages, page_name, read_document
from tabbook.select import select

pytestmark = pytest.mark.slow

CONFIG = load_config(REPOSITORY)
FRAMEWORKS = CONFIG.tabs
PAGES = {page_name(CONFIG, path): path for path in find_pages(CONFIG)}
REFERENCE = "chapter_builders-guide/custom-layer"
CHROMIUM = Path("/usr/bin/chromium")


@functools.cache
def soup_of(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def article(site: Path, page: str, framework: str | None = None) -> Tag:
    """Return a page's own content as a fresh tree, without what readers of other frameworks see."""
    content = BeautifulSoup((site / f"{page}.html").read_text(encoding="utf-8"), "html.parser").select_one("article")
    assert content is not None
    for panel in content.select(".framework-panel") if framework else []:
        if framework not in str(panel["data-framework"]).split():
            panel.decompose()
    return content


def cells(content: Tag) -> list[tuple[str, str]]:
    """Return the code cells as (code, text of the outputs)."""
    found = []
    for cell in content.select(".cell"):
        code = cell.select_one(".cell_input")
        output = cell.select_one(".cell_output")
        found.append((code.get_text().strip() if code else "", output.get_text().strip() if output else ""))
    return found


def document(page: str) -> Document:
    return read_document(CONFIG, PAGES[page])


# The reference page


def own(torch: str, mxnet: str, jax: str, tensorflow: str) -> dict[str, str]:
    return dict(zip(("pytorch", "mxnet", "jax", "tensorflow"), (torch, mxnet, jax, tensorflow), strict=True))


VALUES = r"\[-2\., -1\.,  0\.,  1\.,  2\.\]"
COLUMN = r"[\d.e-]+ *"
ZERO = r"-?(0(\.0+)?|\d\.\d+e-(0[7-9]|\d\d+)|0\.0{6}\d+)"

# What pages.md asks of the page in its items 2 to 4: a pattern of the code, and one of the outputs (none: no outputs).
STEPS: dict[str, tuple[dict[str, str], dict[str, str] | None]] = {
    "the imports": (own(*(rf"from d2l import {name} as d2l" for name in ("torch", "mxnet", "jax", "tensorflow"))), None),
    "the layer without parameters": (own(*[r"class CenteredLayer\("] * 4), None),
    "the layer applied": (
        own(*[r"layer\(d2l\.tensor\(\[1\.0, 2, 3, 4, 5\]\)\)"] * 4),
        own(
            rf"^tensor\({VALUES}\)$",
            rf"^array\({VALUES}\)$",
            rf"^Array\({VALUES}, dtype=float32\)$",
            rf"^<tf\.Tensor: shape=\(5,\), dtype=float32, numpy=array\({VALUES}, dtype=float32\)>$",
        ),
    ),
    "the layer in a network": (own(r"nn\.Linear\(8, 128\), CenteredLayer", *[r"Dense\(128\), CenteredLayer"] * 2, r"Dense\(128\), CenteredLayer"), None),
    "the mean is zero": (
        own(*[r"print\(d2l\.reduce_mean\(Y\)\)"] * 4),
        own(
            rf"tensor\({ZERO}, grad_fn=<MeanBackward\d>\)$",
            rf"{ZERO}$",
            rf"{ZERO}$",
            rf"tf\.Tensor\({ZERO}, shape=\(\), dtype=float32\)$",
        ),
    ),
    "the mean is zero as NumPy sees it": (own(*[r"print\(type\(mean\)\)"] * 4), own(*[r"^<class 'numpy\.float32'>\nTrue$"] * 4)),
    "the layer with parameters": (own(r"class MyLinear\(", *[r"class MyDense\("] * 3), None),
    "its parameters": (
        own(r"list\(linear\.named_parameters\(\)\)", r"dense\.params", r"dense\.init\(", r"dense\.weights"),
        own(
            r"^\[\('weight',\s+Parameter containing:\s+tensor\((?s:.)*'bias',\s+Parameter containing:\s+tensor\(\[0\., 0\., 0\.\]",
            r"(?s)weight.*shape=\(5, 3\).*bias.*shape=\(3,\)",
            r"(?s)'params'.*(weight|bias).*dtype=float32",
            r"(?s)shape=\(5, 3\).*shape=\(3,\)",
        ),
    ),
    "a forward computation": (
        own(r"^linear\(d2l\.randn\(\(2, 5\)\)\)", *[r"^dense\(d2l\.randn\(\(2, 5\)\)\)"], r"dense\.apply\(params", r"^dense\(d2l\.randn\(\(2, 5\)\)\)"),
        own(r"^tensor\(\[\[", r"^array\(\[\[", r"^Array\(\[\[", r"^<tf\.Tensor: shape=\(2, 3\)"),
    ),
    "a network of two such layers": (
        own(r"MyLinear\(64, 8\), MyLinear\(8, 1\)", r"MyDense\(8, in_units=64\), MyDense\(1", *[r"MyDense\(8\), MyDense\(1\)"] * 2),
        own(*[rf"^{kind}\(\[\[{COLUMN}\],\s+\[{COLUMN}\]\]" for kind in ("tensor", "array", "Array")], r"^<tf\.Tensor: shape=\(2, 1\)"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("step", STEPS)
def test_the_reference_page_has_each_step_in_each_framework(site: Path, step: str, framework: str) -> None:
    """A reader of the framework finds the step's code, and under it that framework's own outputs."""
    code, output = STEPS[step]
    found = [
        shown
        for shown in cells(article(site, REFERENCE, framework))
        if re.search(code[framework], shown[0], re.MULTILINE)
    ]
    assert len(found) == 1, [text for text, _ in found]
    if output is not None:
        assert re.search(output[framework], found[0][1]), found[0][1]


def test_angle_brackets_of_outputs_are_text(site: Path) -> None:
    """`tf.Tensor(` and `<class 'numpy.float32'>` are read on the page, not eaten as HTML."""
    content = article(site, REFERENCE)
    outputs = "\n".join(text for _, text in cells(content))
    assert "tf.Tensor(" in outputs
    assert "<class 'numpy.float32'>" in outputs
    assert not content.find_all(["class", "tf.Tensor:"])


@pytest.mark.parametrize("page", PAGES)
def test_each_frameworks_reader_has_all_code_of_the_page_in_order(site: Path, page: str) -> None:
    """Nothing is lost and nothing added: the code that a reader sees is what the framework's notebook holds."""
    for framework in FRAMEWORKS:
        selection = select(document(page), framework, FRAMEWORKS)
        wanted = [without_hide_marks(cell.source).strip() for _, cell in selection.code] if selection else []
        if selection:
            assert "\n\n".join(text for text, _ in cells(article(site, page, framework))) == "\n\n".join(wanted)


@pytest.mark.parametrize("page", PAGES)
def test_each_frameworks_reader_has_its_own_outputs(site: Path, page: str) -> None:
    """The outputs under the code are those that the store has for the framework, all and in order."""
    for framework in FRAMEWORKS:
        selection = select(document(page), framework, FRAMEWORKS)
        if not selection or not selection.code:
            continue
        published = publish(CONFIG, OutputStore(CONFIG.store_dir), page, selection)
        assert published.state == "fresh"
        wanted = [_text(output) for position, _ in selection.code for output in published.outputs[position]]
        content = article(site, page, framework)
        for notice in content.select(".output-notice"):  # what is said of cells that need a GPU
            notice.decompose()
        shown = [text for _, text in cells(content) if text]
        assert re.sub(r"\s+", "", "".join(shown)) == re.sub(r"\s+", "", "".join(wanted))
        assert wanted, "a page with code has outputs"


def _text(output: dict[str, Any]) -> str:
    if output["output_type"] == "error":  # announced by a mark
        return "\n".join(output["traceback"])
    return str(output["text"] if output["output_type"] == "stream" else output["data"]["text/plain"])


@pytest.mark.parametrize("page", PAGES)
def test_identical_cells_stand_once_and_outside_the_panels(site: Path, page: str) -> None:
    """A cell with the same code and outputs in all frameworks of the page is shown to everyone at once."""
    store = OutputStore(CONFIG.store_dir)
    selections = {name: select(document(page), name, FRAMEWORKS) for name in FRAMEWORKS}
    there = {name: selection for name, selection in selections.items() if selection and selection.code}
    content = article(site, page)
    for panel in content.select(".framework-panel"):
        panel.decompose()
    untabbed = [text for text, _ in cells(content)]
    seen: dict[int, list[tuple[str, str]]] = {}
    for selection in there.values():
        outputs = publish(CONFIG, store, page, selection).outputs
        for position, cell in selection.code:
            source = without_hide_marks(cell.source).strip()
            seen.setdefault(position, []).append((source, str(outputs[position])))
    shared = [of[0][0] for of in seen.values() if len(of) == len(there) and len(set(of)) == 1]
    assert untabbed == shared
    if page == REFERENCE:
        assert any("print(type(mean))" in text for text in shared)


@pytest.mark.parametrize("page", PAGES)
def test_paragraphs_of_tab_blocks_are_seen_by_their_readers_alone(site: Path, page: str) -> None:
    """Every sentence of a tab block is visible to the readers of its frameworks and to no others."""
    visible = {name: article(site, page, name).get_text() for name in FRAMEWORKS}
    texts = [cell for cell in document(page).cells if isinstance(cell, TextCell)]
    checked = [not any(cell.tabs for cell in texts)]
    for cell in (cell for cell in texts if cell.tabs):
        sentences = re.findall(r"[ぁ-んァ-ヶー一-龥、。]{9,}", cell.source)
        meant = {
            s: {tab for other in texts if s in other.source for tab in other.tabs or FRAMEWORKS} for s in sentences
        }
        checked.append(set(cell.tabs) in meant.values())
        for sentence in sentences:
            assert {name for name in FRAMEWORKS if sentence in visible[name]} == meant[sentence], sentence
    assert any(checked), "no sentence of any block is its own"


def test_no_log_noise_in_any_output(site: Path) -> None:
    """No start-up log, no warning, no address and no path of this machine on any page."""
    noise = re.compile(
        r"WARNING|[IWEF]0000 |absl|cpu_feature_guard|Warning:|\.cc:\d+|0x[0-9a-f]{6,}|/tmp/|site-packages|\x1b|_build/"
    )
    for page in PAGES:
        for code, text in cells(article(site, page)):
            assert not noise.search(text), (page, code, text)


# Every page


def html_files(site: Path) -> list[Path]:
    return sorted(path for path in site.rglob("*.html") if "_static" not in path.parts)


def test_every_page_says_that_it_is_japanese(site: Path) -> None:
    for path in html_files(site):
        root = soup_of(path).html
        assert root is not None
        assert root["lang"] == "ja", path


def test_every_link_has_its_target(site: Path) -> None:
    """Each `#…` and each relative address on each page leads to something that exists."""
    missing = []
    for path in html_files(site):
        for element in soup_of(path).select("[href], [src]"):
            address = str(element.get("href") or element.get("src"))
            if re.match(r"[a-z][a-z0-9+.-]*:|//", address):
                continue
            file, fragment = urldefrag(address)
            target = (path.parent / unquote(file.split("?")[0])).resolve() if file.split("?")[0] else path
            if (not target.is_file() and not (element.name == "a" and address == "#")) or (
                fragment and target.suffix == ".html" and not soup_of(target).find(id=unquote(fragment))
            ):
                missing.append((path.name, address))
    assert missing == []


def test_every_id_stands_once_on_its_page(site: Path) -> None:
    """An id that stands twice makes a link lead to the wrong place."""
    for page in PAGES:
        ids = [str(element["id"]) for element in soup_of(site / f"{page}.html").select("[id]")]
        assert [name for name, count in Counter(ids).items() if count > 1] == [], page


@pytest.mark.parametrize("page", PAGES)
def test_numbered_references_are_links_with_a_number(site: Path, page: str) -> None:
    """Each :numref: and :eqref: of the source is a link 「1.1節」「図1.2.1」「表1.2.1」「(1.2.1)」."""
    elements = page_elements(document(page))
    content = article(site, page)
    texts = [link.get_text() for link in content.select("a.reference.internal:has(.std-numref)")]
    # A paragraph of several frameworks stands in each of their panels.
    assert len(texts) >= sum(element.kind == "numref" for element in elements)
    for text in texts:
        assert re.fullmatch(r"\d+(\.\d+)*[章節]|[図表]\d+(\.\d+)*", text), text
    equations = [link.get_text() for link in content.select('a.reference.internal[href*="#equation-"]')]
    assert len(equations) == sum(element.kind == "eqref" for element in elements)
    for text in equations:
        assert re.fullmatch(r"\(\d+(\.\d+)*\)", text), text


@pytest.mark.parametrize("page", PAGES)
def test_line_ends_leave_no_space_between_japanese_letters(site: Path, page: str) -> None:
    content = article(site, page)
    for math in content.select(".math, .headerlink"):
        math.decompose()
    for paragraph in content.select("p, li, td, figcaption, h1, h2, h3"):
        if not paragraph.find(["p", "ul", "ol", "div"]):
            assert not re.search(
                r"[ぁ-んァ-ヶー一-龥、。「」（）]\s*\n\s*[ぁ-んァ-ヶー一-龥、。「」（）]", paragraph.get_text().strip()
            )


@pytest.mark.parametrize("page", PAGES)
def test_no_mark_of_the_dialect_is_left_on_the_page(site: Path, page: str) -> None:
    """No `:label:`, `%%tab`, `[**` or the like reaches readers."""
    content = article(site, page)
    for quoted in content.select("code"):
        quoted.decompose()
    assert not re.search(r":\w+:`|:(begin|end)_tab|%%tab|@tab|\[\*\*|\*\*\]|\(\*\*|\*\*\)", content.get_text())
