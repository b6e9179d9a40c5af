"""Two cold builds of one book: with the same SOURCE_DATE_EPOCH every byte is the same, wherever and whenever."""

from __future__ import annotations

from pathlib import Path

from books_for_tests import CONFIG, PAGE, TinyBook, cell, tiny_book

# What matplotlib would draw, which the tests' own environment does not have: ids and a date that differ in each run.
FIGURES = """\
import base64, secrets, time
from IPython.display import SVG, Image, display
name = 'clip' + secrets.token_hex(5)
display(SVG(f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:dc="http://purl.org/dc/elements/1.1/">\\n'
            f'<dc:date>{time.time_ns()}</dc:date>\\n'
            f'<clipPath id="{name}"><path d="M 0 0"/></clipPath><g clip-path="url(#{name})"/></svg>'))
display(Image(base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==')))
"""

VARIED = """\
import sys, tempfile, threading, time, warnings
print(object(), {'a', 'b', 'c'}, hash('x'), tempfile.gettempdir() != '', threading.Thread(target=print))
print(time.sleep, __name__, sys.executable, file=sys.stderr)
warnings.warn('mind this')
class Thing: pass
Thing()
"""

BIBLIOGRAPHY = """\
@book{Knuth.1984, author = {Donald E. Knuth}, title = {The TeXbook}, year = {1984}, publisher = {Addison-Wesley}}
@book{Asada.2020, author = {浅田 実}, title = {再考}, year = {2020}, publisher = {某社}}
"""

FIGURE_PAGE = f"""\
# 図のあるページ
:label:`sec_figures`

:ref:`sec_tiny`と:cite:`Knuth.1984`と:cite:`Asada.2020`を見よ。

![図](img/a.svg)
:label:`fig_a`

{cell(FIGURES)}
{cell(VARIED)}
:bibliography:`../a.bib`
"""


def cold_build(root: Path, **environ: str) -> TinyBook:
    config = CONFIG.replace("tabs =", "resources = img/\ntabs =") + "\n[pdf]\nbibfile = docs/a.bib\n"
    book = tiny_book(root, {"index": PAGE, "chapter/figures": FIGURE_PAGE}, config)
    (root / "docs" / "a.bib").write_text(BIBLIOGRAPHY, encoding="utf-8")
    (root / "docs" / "chapter" / "img").mkdir()
    (root / "docs" / "chapter" / "img" / "a.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    said = book.tabbook("html", SOURCE_DATE_EPOCH="1700000000", **environ).stderr
    assert "WARNING" not in said
    return book


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_cold_builds_give_the_same_bytes(tmp_path: Path) -> None:
    """Outputs and site, in two folders, time zones and orders of hashes; figures, warnings and addresses included."""
    one = cold_build(tmp_path / "one", TZ="UTC", PYTHONHASHSEED="1")
    two = cold_build(tmp_path / "two" / "deeper", TZ="Asia/Tokyo", PYTHONHASHSEED="2", LANG="C")
    stores = [
        {name: content for name, content in files(book.store.folder).items() if not name.startswith("pages/")}
        for book in (one, two)
    ]
    assert len(stores[0]) == 6
    assert _differing(*stores) == []
    sites = [files(book.root / "_build" / "html") for book in (one, two)]
    assert {"searchindex.js", "objects.inv", "chapter/figures.html"} < set(sites[0])
    assert any(name.endswith(".png") for name in sites[0])
    assert _differing(*sites) == []


def _differing(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
