"""The sections `soak-FRAMEWORK-THREADS`: forks in a row from one server, each with work for threads and a known result.

A notebook that hangs is ended by the time limit of its cells; one that fails otherwise, or prints something else than
it should, is told apart from it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.book import TABBOOK, Book, cell, synthetic_book
from benchmarks.kernels import clean_environ

__all__ = ["soak"]

_SIZE = 256
_SECONDS = 120  # that one cell may take
_HUNG = re.compile(r"this cell took longer than")


def soak(framework: str, module: str, threads: int, forks: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Execute `forks` notebooks of a framework, each with so many threads; return what came of them."""
    with tempfile.TemporaryDirectory(prefix="tb-bench-") as folder:
        pages = {f"page-{number:04}": _page(number, module) for number in range(1, forks + 1)}
        book = synthetic_book(Path(folder) / "book", pages, [framework])
        workers = max(1, len(os.sched_getaffinity(0)) // threads)
        book.configure({"tabbook": {"workers": str(workers), "cell_timeout": str(_SECONDS)}})
        done = subprocess.run(
            [*TABBOOK, "execute"], cwd=book.root, env=clean_environ(), capture_output=True, text=True, check=False,
            timeout=_SECONDS * max(forks, 5),  # it comes to its end even if every cell hangs
        )  # fmt: skip
        printed = _printed(book)
    results = {page: texts[0] if texts else "" for page, texts in printed.items()}
    expected = {f"page-{number:04}": f"{number * _SIZE}\n" for number in range(1, forks + 1)}
    found = {
        "framework": framework,
        "threads": threads,
        "forks": forks,
        "hung": len(_HUNG.findall(done.stderr)),
        "failed": sum(not results.get(page) for page in expected),  # those that hung are among them
        "wrong": sum(bool(results.get(page)) and results[page] != text for page, text in expected.items()),
        "parents": len({texts[1] for texts in printed.values() if len(texts) > 1}),  # 1: all from one server
    }
    say(f"  {json.dumps(found)}")
    if found["failed"]:
        say(done.stderr)
    return found


def _page(number: int, module: str) -> str:
    """Return a page with a product of matrices that is shared among threads, and whose result is known."""
    source = f"from d2l import {module} as d2l\nx = d2l.ones(({_SIZE}, {_SIZE}))\n"
    source += f"print(round(float(d2l.reduce_mean(d2l.matmul(x, x * {number})))))"
    return f"# ページ{number}\n\n{cell(source)}{cell('import os; print(os.getppid())')}"


def _printed(book: Book) -> dict[str, list[str]]:
    """Return by page what its cells have printed, as `tabbook notebook` gives it."""
    target = book.root / "_build" / "notebooks"
    command = [*TABBOOK, "notebook", "--outputs", "--output", str(target)]
    subprocess.run(command, cwd=book.root, env=clean_environ(), check=True)
    printed = {}
    for path in target.glob("page-*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        outputs = [output for each in cells if each["cell_type"] == "code" for output in each["outputs"]]
        printed[path.stem] = ["".join(output.get("text", "")) for output in outputs]
    return printed
