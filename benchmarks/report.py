"""results.md: what was measured, as tables; the bars first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.bars import bars, build_median, overheads, own_seconds
from benchmarks.comparison import CHANGES, WARM
from benchmarks.contestants import CONTESTANTS

__all__ = ["write_report"]

Section = dict[str, Any]

_HEAD = """\
# What building the book costs

Made by `make bench` and `make soak` from `results.json`; do not edit.
CPU seconds are those of the whole process tree, wall seconds those from the command's start to its end.
Several rounds are given by their medians.

![CPU seconds on the book, and how they grow with the number of notebooks](results.svg)
"""

_OWN = """\
*The cells' own* time is measured within the kernels by IPython's hooks around each cell, in ordinary kernels that have
made the framework's imports before the first cell: an import is a kernel's start, whatever cell it is written in.
The same number is subtracted for everybody.
Bringing the pages into a contestant's own form is not measured.
All have the same thread caps and as many kernels at a time as there are cores, but MyST-NB, which has one.
The bytecode of every environment is written beforehand.
"""


def write_report(results: dict[str, Section]) -> None:
    """Write results.md anew."""
    parts = [_HEAD, _bars(results)]
    if "book" in results:
        parts += [_book(results["book"]), _notebooks(results["book"])]
    if "memory" in results:
        parts.append(_memory(results["memory"]))
    growth = [results[name] for name in results if name.startswith("growth-")]
    if growth:
        parts.append(_growth(sorted(growth, key=lambda section: int(section["count"]))))
    soaks = [results[name] for name in sorted(results) if name.startswith("soak-")]
    if soaks:
        parts.append(_soaks(soaks))
    parts.append(_circumstances({name: results[name] for name in sorted(results) if "machine" in results[name]}))
    Path(__file__).with_name("results.md").write_text("\n".join(parts), encoding="utf-8")


def _bars(results: dict[str, Section]) -> str:
    rows = [
        (
            bar.name,
            bar.text,
            f"{bar.value:.3g}{_unit(bar.unit)}",
            f"≤ {bar.limit:.3g}{_unit(bar.unit)}",
            _yes(bar.holds),
        )
        for bar in bars(results)
    ]
    return _section("The bars", _table(("bar", "what", "measured", "limit", "holds"), rows))


def _book(book: Section) -> str:
    own = {what: own_seconds(book, what) for what in ("cpu", "wall")}
    head = ("", *(f"{change}: CPU s" for change in CHANGES), *(f"{change}: wall s" for change in CHANGES), "rounds")
    rows = [_book_row(book, name) for name in CONTESTANTS]
    servers = [turn["servers"] for turn in book["rounds"]]
    decision = [turn["decision"] for turn in book["rounds"]]
    text = (
        f"The cells' own: {own['cpu']:.1f} CPU s, {own['wall']:.1f} s wall, added up. "
        f"The fork servers by themselves, side by side: {median(each['wall'] for each in servers):.1f} s wall until "
        f"the last is ready, {median(each['cpu'] for each in servers):.1f} CPU s. "
        f"Of the {median(each['command'] for each in decision):.2f} s in which ours finds nothing to do, "
        f"{median(each['stage'] for each in decision):.2f} s are spent after the interpreter has started. "
        f"With an empty store, but what the compilers cached in earlier builds (JAX), ours takes "
        f"{build_median(book, 'ours', WARM, 'cpu'):.1f} CPU s "
        f"and {build_median(book, 'ours', WARM, 'wall'):.1f} s wall.\n"
    )
    return _section("The book's pages", _table(head, [row for row in rows if row]) + "\n" + text + "\n" + _OWN)


def _book_row(book: Section, name: str) -> tuple[str, ...]:
    unknown = "failed" if any(name in turn["failed"] for turn in book["rounds"]) else "as cold"
    cells = [
        unknown if value is None else _seconds(value)
        for what in ("cpu", "wall")
        for change in CHANGES
        for value in [build_median(book, name, change, what)]
    ]
    turns = sum(name in turn["builds"] for turn in book["rounds"])
    return (CONTESTANTS[name].title, *cells, str(turns)) if turns else ()


def _notebooks(book: Section) -> str:
    over = overheads(book)
    turns = [turn["notebooks"] for turn in book["rounds"]]
    rows = [
        (name, *(f"{median(turn[name][what] for turn in turns):.2f}" for what in ("duration", "wall")), f"{extra:.2f}")
        for name, extra in over.items()
    ]
    text = f"Median: {median(over.values()):.2f} s.\n"
    table = _table(("notebook", "all, s", "its cells, s", "overhead, s"), rows)
    return _section("A notebook in ours, cold", f"{table}\n{text}")


def _memory(memory: Section) -> str:
    rows = [(CONTESTANTS[name].title, f"{peak / 2**20:.0f}") for name, peak in memory["peak"].items()]
    text = (
        "Peak of a cold build of the book: the process tree's memory, shared pages counted once, seen twice a second.\n"
    )
    return _section("Memory", f"{text}\n{_table(('', 'MiB'), rows)}")


def _growth(sections: Sequence[Section]) -> str:
    head = (
        "notebooks",
        "",
        "CPU s",
        "wall s",
        "CPU s a notebook",
        "peak MiB",
        "no change: command s",
        "no change: CPU s",
    )
    rows = []
    for section in sections:
        for name in ("ours", "ordinary"):
            if name in section:
                cost, count = section[name], section["count"]
                again = section["no change"] if name == "ours" else {}
                rows.append(
                    (
                        str(count), name, f"{cost['cpu']:.1f}", f"{cost['wall']:.1f}", f"{cost['cpu'] / count:.2f}",
                        f"{cost['memory'] / 2**20:.0f}", _seconds(again.get("command")), _seconds(again.get("cpu")),
                    )
                )  # fmt: skip
    text = f"A synthetic book of one framework ({sections[0]['framework']}), three tiny cells a notebook.\n"
    own = "; ".join(f"{each['count']}: {each['own']['cpu']:.1f} (in {each['own_from']} kernels)" for each in sections)
    return _section("Growth", f"{text}\n{_table(head, rows)}\nThe cells' own CPU s, without the import: {own}.\n")


def _soaks(soaks: Iterable[Section]) -> str:
    names = ("framework", "threads", "forks", "hung", "failed", "wrong", "parents")
    rows = [tuple(str(section[name]) for name in names) for section in soaks]
    text = "Notebooks forked in a row, each with a product of matrices; *parents* are the servers they came from.\n"
    return _section("Soak", f"{text}\n{_table(names, rows)}")


def _circumstances(sections: dict[str, Section]) -> str:
    rows = []
    for name, section in sections.items():
        machine = section["machine"]
        text = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory']:.0f} GiB"
        rows.append((name, section["date"], section["commit"], text, f"{machine['load']:g}"))
    table = _table(("section", "date", "commit", "machine", "load before"), rows)
    versions: dict[str, str] = next((section["versions"] for section in sections.values()), {})
    found = ", ".join(f"{name} {version}" for name, version in versions.items())
    text = (
        "A `+` behind a commit: what was measured differed from it. Load: of the five minutes before (others' work).\n"
    )
    return _section("When, where, with what", f"{table}\n{text}\n{found}\n")


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _unit(unit: str) -> str:
    return f" {unit}" if unit else ""


def _yes(holds: bool) -> str:
    return "yes" if holds else "**no**"
