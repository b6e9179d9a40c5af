"""Two stores of outputs compared: which cells show a reader something else, and where they stand in the page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from functools import partial
from itertools import zip_longest
from typing import Any, Literal

from tabbook.errors import Diagnostic
from tabbook.execute.store import OutputStore, Record, entry_name
from tabbook.execute.task import Task
from tabbook.execute.tolerance import Tolerance

__all__ = ["Difference", "Side", "compare", "recorded"]

Output = Mapping[str, Any]
Kind = Literal["outputs-differ", "code-differs", "outputs-missing"]

_CONTEXT = 2
_LONGEST_DIFF = 40
_PICTURE = "sha256 "
_MESSAGES: dict[Kind, str] = {
    "outputs-differ": "{title}: the outputs of this cell differ.",
    "code-differs": "{title}: the outputs are of different code.",
    "outputs-missing": "{title}: only {side} has outputs of this page.",
}


@dataclass(frozen=True)
class Side:
    """A store and what messages call it."""

    store: OutputStore
    name: str


@dataclass(frozen=True)
class Difference:
    """One cell that differs, or one notebook that only one side has.

    `diff` has the lines of a unified diff, `entry` is the first store's folder of the notebook's outputs.
    """

    page: str
    framework: str
    path: str
    line: int
    code: Kind
    message: str
    diff: tuple[str, ...] = ()
    entry: str = ""

    def letter(self, hint: str = "") -> str:
        """Return the difference as lines for a person; of a long diff, the beginning."""
        shown = list(self.diff[:_LONGEST_DIFF])
        more = len(self.diff) - len(shown)
        shown += [f"… and {more} more lines; `--format json` has them"] if more else []
        message = "\n".join([self.message, *shown])
        return Diagnostic(self.path, self.line, self.code, "error", message, hint).letter()


def compare(task: Task, one: Side, other: Side, tolerance: Tolerance) -> Iterator[Difference]:
    """Yield the cells of a notebook whose outputs, or whose code, differ between two stores."""
    here, there = recorded(task, one.store), recorded(task, other.store)
    folder = one.store.folder / entry_name((task.stored(one.store) or task.key).digest)
    difference = partial(_difference, task, str(folder) if folder.is_dir() else "")
    if here is None or there is None:
        if here is not there:
            yield difference(0, "outputs-missing", side=other.name if here is None else one.name)
        return
    names = (one.name, other.name)
    places = _places(task, here), _places(task, there)
    for cell, twin in _pairs(here, there):
        place = places[1][twin] if twin is not None else places[0][cell or 0]
        code = _code_lines(here, cell), _code_lines(there, twin)
        if cell is None or twin is None or code[0] != code[1]:
            yield difference(place, "code-differs", _diff(*code, names))
            continue
        lines = _aligned(_lines(here.cells[cell][1]), _lines(there.cells[twin][1]), tolerance)
        if lines[0] != lines[1]:
            yield difference(place, "outputs-differ", _diff(*lines, names))


def recorded(task: Task, store: OutputStore) -> Record | None:
    """Return what a store shows readers of the page: outputs of its present code, otherwise the last ones."""
    current = task.stored(store)
    last = current.digest if current else store.state(task.framework.name, task.page).key
    return store.load(last) if last else None


def _difference(
    task: Task, entry: str, place: int, code: Kind, diff: tuple[str, ...] = (), side: str = ""
) -> Difference:
    message = _MESSAGES[code].format(title=task.framework.title, side=side)
    line = task.original(place).first_line
    return Difference(task.page, task.framework.name, task.document.path, line, code, message, diff, entry)


def _code_lines(record: Record, cell: int | None) -> list[str]:
    return [] if cell is None else record.cells[cell][0].split("\n")


def _pairs(here: Record, there: Record) -> Iterator[tuple[int | None, int | None]]:
    """Yield the cells that belong together, by their code; None stands for a cell that one side lacks."""
    ours, theirs = ([source for source, _ in record.cells] for record in (here, there))
    for kind, first, last, start, end in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        cells, twins = range(first, last), range(start, end)
        yield from zip(cells, twins, strict=True) if kind == "equal" else zip_longest(cells, twins)


def _places(task: Task, record: Record) -> list[int]:
    """Return for each recorded cell the cell of the page with its code; for one that the page lacks, a near one."""
    recorded = [source for source, _ in record.cells]
    blocks = SequenceMatcher(None, task.key.parts["cells"], recorded, autojunk=False).get_matching_blocks()
    found = {block.b + offset: block.a + offset for block in blocks for offset in range(block.size)}
    last = len(task.cells) - 1
    positions: list[int] = []
    for index in range(len(recorded)):
        after_the_one_before = min(positions[-1] + 1, last) if positions else 0
        positions.append(found.get(index, after_the_one_before))
    return positions


def _lines(outputs: Sequence[Output]) -> list[str]:
    """Return outputs as lines; a picture is one line, which tells its bytes from others."""
    lines: list[str] = []
    for output in outputs:
        if output["output_type"] == "stream":
            lines += [f"{output['name']}:", *output["text"].split("\n")]
        elif output["output_type"] == "error":
            lines += ["error:", f"{output['ename']}: {output['evalue']}", *"\n".join(output["traceback"]).split("\n")]
        else:
            for kind, value in sorted(output["data"].items()):
                lines += [f"{kind}:", *_data_lines(kind, value)]
    return lines


def _data_lines(kind: str, value: Any) -> list[str]:
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).split("\n")
    if kind.startswith("text/"):
        return value.split("\n")
    content = value.encode("utf-8", "surrogatepass")
    return [f"{_PICTURE}{hashlib.sha256(content).hexdigest()[:16]}, {len(content)} bytes"]


def _aligned(here: list[str], there: list[str], tolerance: Tolerance) -> tuple[list[str], list[str]]:
    """Return both, with lines that are close enough made equal."""
    aligned = list(here)
    for kind, first, last, start, end in SequenceMatcher(None, here, there, autojunk=False).get_opcodes():
        if kind == "replace" and last - first == end - start:
            pairs = zip(here[first:last], there[start:end], strict=True)
            aligned[first:last] = [theirs if _close(ours, theirs, tolerance) else ours for ours, theirs in pairs]
    return aligned, there


def _close(one: str, other: str, tolerance: Tolerance) -> bool:
    return not one.startswith(_PICTURE) and tolerance.same(one, other)


def _diff(here: list[str], there: list[str], names: tuple[str, str]) -> tuple[str, ...]:
    return tuple(unified_diff(here, there, *names, lineterm="", n=_CONTEXT))
