"""Write pages' prose as plain text for other tools, such as textlint: `python -m tabbook.prose.plain FOLDER [PAGE …]`.

Each line of a page is a line of its text, so that what is said of one holds for the other. What is no prose is left
out; within a sentence, `X` stands for code, a formula or a reference.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tabbook.config import load_config
from tabbook.document import Document
from tabbook.pages import choose_pages, page_name, read_document
from tabbook.prose.passage import MASK, REFERENCE, passages

__all__ = ["plain_text"]


def plain_text(document: Document) -> str:
    """Return a page's prose, each passage on the lines that it has in the page."""
    lines: dict[int, str] = {}
    for passage in passages(document):
        ends = [start for start, _ in passage.starts[1:]] + [len(passage.text)]
        for (start, line), end in zip(passage.starts, ends, strict=True):
            part = re.sub(f"[{MASK}{REFERENCE}]+", "X", passage.text[start:end]).replace("\n", "")
            lines[line] = lines.get(line, "") + part
    return "".join(f"{lines.get(number, '')}\n" for number in range(1, max(lines, default=0) + 1))


def _main(folder: Path, names: list[str]) -> None:
    config = load_config(Path())
    for path in choose_pages(config, names):
        target = folder / f"{page_name(config, path)}.txt"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(plain_text(read_document(config, path)), encoding="utf-8")


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2:])
