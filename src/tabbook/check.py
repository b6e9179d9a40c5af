"""Find what is wrong with a book from its sources alone: no kernel, no Sphinx."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

from tabbook.config import CONFIG_NAME, Config
from tabbook.coverage import missing_cells
from tabbook.dialect.elements import Element, page_elements
from tabbook.dialect.findings import Findings, nearest
from tabbook.dialect.roles import LINE_MARKS, ROLES, TAB_MARKS, VALUE_MARK
from tabbook.dialect.slides import find_slide_marks
from tabbook.document import CodeCell, Document, TextCell
from tabbook.errors import Diagnostic
from tabbook.execute.marks import misspelt_marks
from tabbook.pages import find_pages, page_name, read_document
from tabbook.prose.rules import HouseStyle, house_style, prose_findings
from tabbook.saved import saved_findings

__all__ = ["check_book", "check_page"]

_ENTRY = re.compile(r"^\s*@\w+\s*\{\s*([^,\s]+)\s*,", re.MULTILINE)
_EXTERNAL = re.compile(r"[a-z][a-z0-9+.-]*:|#|/", re.IGNORECASE)


def check_page(document: Document) -> list[Diagnostic]:
    """Return what can be said of a page without knowing the others."""
    return sorted([*document.diagnostics, *_prose_findings(document, page_elements(document))])


def check_book(config: Config, pages: Sequence[Path]) -> list[Diagnostic]:
    """Return what is wrong with `pages`; references are resolved across the whole book."""
    book = _Book.read(config)
    chosen = {config.relative(path) for path in pages}
    found = [diagnostic for page in book.pages if page.path in chosen for diagnostic in _page_findings(page, book)]
    glossary = book.style.glossary.diagnostics if book.style else ()
    return sorted([*config.diagnostics, *_missing_bibliographies(config), *glossary, *found])


@dataclass(frozen=True)
class _Page:
    file: Path
    document: Document
    elements: list[Element]

    @property
    def path(self) -> str:
        return self.document.path

    @property
    def heading(self) -> Element | None:
        """The page's own heading."""
        return next((element for element in self.elements if element.kind == "heading"), None)

    @property
    def is_labelled(self) -> bool:
        """Whether a label names the page's own heading: nothing that could have one stands between."""
        kinds = (element.kind for element in self.elements if element.kind in ("heading", "label", "figure", "table"))
        return list(islice(kinds, 2)) == ["heading", "label"]


@dataclass(frozen=True)
class _Book:
    """All pages, with what references can point to."""

    config: Config
    pages: list[_Page]
    targets: dict[str, list[tuple[str, int]]]  # label → where it stands
    equations: dict[str, list[tuple[str, int]]]
    keys: frozenset[str] | None  # citation keys; None where no bibliography is known
    style: HouseStyle | None  # what its prose is held to; None for a book that is not Japanese

    @classmethod
    def read(cls, config: Config) -> _Book:
        documents = [(path, read_document(config, path)) for path in find_pages(config)]
        pages = [_Page(path, document, page_elements(document)) for path, document in documents]
        targets: dict[str, list[tuple[str, int]]] = defaultdict(list)
        equations: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for page in pages:
            for element in page.elements:
                if element.kind == "label":
                    targets[element.value.lower()].append((page.path, element.line))
                elif element.kind == "equation-label":
                    equations[element.value].append((page.path, element.line))
        style = house_style(config, [document for _, document in documents])
        return cls(config, pages, targets, equations, _citation_keys(config, pages), style)

    @property
    def inner_pages(self) -> list[_Page]:
        """The pages that have a heading, without the book's first."""
        first = self.config["build"]["index"].removesuffix(".md")
        return [page for page in self.pages if page.heading and page_name(self.config, page.file) != first]

    @cached_property
    def labels_pages(self) -> bool:
        """Whether most pages have a label, so that one without was forgotten."""
        inner = self.inner_pages
        return sum(page.is_labelled for page in inner) * 2 > len(inner)


def _citation_keys(config: Config, pages: Iterable[_Page]) -> frozenset[str] | None:
    files = {config.root / name for name in config["pdf"]["bibfile"].split()}
    for page in pages:
        files |= {page.file.parent / element.value for element in page.elements if element.kind == "bibliography"}
    texts = [file.read_text(encoding="utf-8", errors="replace") for file in files if file.is_file()]
    return frozenset(key for text in texts for key in _ENTRY.findall(text)) if texts else None


def _missing_bibliographies(config: Config) -> list[Diagnostic]:
    findings = Findings(CONFIG_NAME)
    lines = (config.root / CONFIG_NAME).read_text(encoding="utf-8").splitlines()
    line = next((number for number, text in enumerate(lines, 1) if re.match(r"bibfile\s*[=:]", text)), 1)
    for name in config["pdf"]["bibfile"].split():
        if not (config.root / name).is_file():
            findings.add(
                line,
                "missing-file",
                f"The bibliography {name} does not exist.",
                "write the file, or set `bibfile` under [pdf]",
            )
    return findings.found


def _page_findings(page: _Page, book: _Book) -> list[Diagnostic]:
    findings = Findings(page.path)
    findings.found += page.document.diagnostics
    findings.found += _prose_findings(page.document, page.elements)
    for element in page.elements:
        _check_reference(element, page, book, findings)
        _check_file(element, page, findings)
    _check_heading(page, book, findings)
    findings.found += missing_cells(page.document, book.config.tabs)
    findings.found += saved_findings(book.config, page.document)
    if book.style:
        findings.found += prose_findings(page.document, page_name(book.config, page.file), book.style)
    return findings.found


def _check_heading(page: _Page, book: _Book, findings: Findings) -> None:
    if page.heading and book.labels_pages and page in book.inner_pages and not page.is_labelled:
        findings.add(
            page.heading.line,
            "unlabelled-page",
            "The page's heading has no label, as those of the other pages have.",
            "put :label:`sec_…` on the line after it, so that it can be referred to",
            "warning",
        )


def _check_reference(element: Element, page: _Page, book: _Book, findings: Findings) -> None:
    kind, value, line = element.kind, element.value, element.line
    if kind in ("numref", "ref") and value.lower() not in book.targets:
        hint = nearest(value, book.targets) or "give the heading, figure or table that is meant a :label:"
        findings.add(line, "unknown-label", f"No :label:`{value}` exists in the book.", hint)
    elif kind == "eqref" and value not in book.equations:
        hint = nearest(value, book.equations) or "put :eqlabel: on the line after the formula that is meant"
        findings.add(line, "unknown-label", f"No :eqlabel:`{value}` exists in the book.", hint)
    elif kind in ("cite", "citep", "citet") and book.keys is not None and value not in book.keys:
        hint = nearest(value, book.keys) or "add an entry with this key to the bibliography"
        findings.add(line, "unknown-citation", f"`{value}` is not in the bibliography.", hint)
    elif kind in ("label", "equation-label"):
        places = book.targets[value.lower()] if kind == "label" else book.equations[value]
        if places[0] != (page.path, line):
            first, where = places[0]
            findings.add(
                line, "duplicate-label", f"`{value}` is already the label at {first}:{where}.", "choose another name"
            )


def _check_file(element: Element, page: _Page, findings: Findings) -> None:
    if element.kind in ("figure", "image", "bibliography"):
        if not (_EXTERNAL.match(element.value) or (page.file.parent / element.value).is_file()):
            findings.add(
                element.line,
                "missing-file",
                f"The file {element.value} does not exist.",
                f"paths start from the page's folder {Path(page.path).parent.as_posix()}/",
            )
    elif element.kind == "toc":
        _check_toc(element, page, findings)


def _check_toc(element: Element, page: _Page, findings: Findings) -> None:
    for number, entry in enumerate(element.value.split("\n"), 1):
        name = entry.strip()
        if not name or name.startswith(":") or "<" in name or _EXTERNAL.match(name):
            continue
        stem = page.file.parent / name
        if not any(stem.with_name(stem.name + suffix).is_file() for suffix in ("", ".md", ".rst", ".ipynb")):
            findings.add(
                element.line + number,
                "missing-page",
                f"The table of contents names {name}, which does not exist.",
                "write its path from this page's folder, without .md",
            )


def _prose_findings(document: Document, elements: Iterable[Element]) -> list[Diagnostic]:
    findings = Findings(document.path)
    for element in elements:
        _check_mark(element, findings)
    for cell in document.cells:
        if isinstance(cell, TextCell):
            _check_slides(cell, findings)
        else:
            _check_execution_marks(cell, findings)
    return findings.found


_PROBLEMS = {
    "misplaced-width": ("`:width:` does not follow an image.", "put it on the line after `![caption](path)`"),
    "misplaced-height": ("`:height:` does not follow an image.", "put it on the line after `![caption](path)`"),
    "indented-tab-mark": (
        "A tab mark is indented, so it does nothing.",
        "move it to column 1, outside of lists and quotes",
    ),
    "empty-mark": ("The mark has nothing between its backticks.", "write the name or the value, or remove the mark"),
    "unclosed-formula": ("`$$` has no partner.", "put $$ before the formula and behind it, with no blank line inside"),
    "label-without-target": (
        "No heading, figure or table stands before this label.",
        "put :label: on the line after what it names",
    ),
    "eqlabel-without-formula": (
        "This `:eqlabel:` does not follow a display formula.",
        "put it on the line after the closing $$",
    ),
}


def _check_mark(element: Element, findings: Findings) -> None:
    kind, value, line = element.kind, element.value, element.line
    if kind == "problem":
        message, hint = _PROBLEMS[value]
        findings.add(line, value, message, hint)
    elif kind == "misplaced" and value in (*LINE_MARKS, *TAB_MARKS):
        findings.add(
            line, "misplaced-mark", f"`:{value}:` stands inside a line.", "give it a line of its own, in column 1"
        )
    elif kind == "misplaced":
        marks = (*ROLES, VALUE_MARK)
        hint = nearest(value, marks) or f"the marks are {', '.join(f':{name}:' for name in marks)}"
        findings.add(line, "unknown-role", f"`:{value}:` is not a mark of the dialect.", hint)
    elif kind == "broken":
        findings.add(
            line, "broken-role", f"The mark `:{value}:` is not read as one.",
            f"write :{value}:`…`: half-width colons, and backticks straight behind them",
        )  # fmt: skip
    elif kind == "code-block":
        findings.add(
            line,
            "indented-code",
            "A paragraph indented by four spaces is read as code; d2lbook stops here.",
            "remove the indentation, or put code into a fence",
        )


def _check_execution_marks(cell: CodeCell, findings: Findings) -> None:
    for line, mark, form in misspelt_marks(cell.source):
        findings.add(cell.first_line + line, "unknown-mark", f"`{mark}` is not understood, so it does nothing.", form)


def _check_slides(cell: TextCell, findings: Findings) -> None:
    for problem in find_slide_marks(cell.source)[1]:
        line = cell.first_line + cell.source.count("\n", 0, problem.offset)
        hint = "close [** with **], (** with **), [~~ with ~~], (~~ with ~~)"
        if problem.partner:
            hint = f"`{problem.partner}` is not its partner: write both brackets half-width. {hint}"
        findings.add(line, "unbalanced-slide-mark", f"The slide mark `{problem.mark}` has no partner.", hint)
