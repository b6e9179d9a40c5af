"""What is known of each notebook: the table of `tabbook status`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from tabbook.execute.store import OutputStore
from tabbook.execute.task import Freshness, Task, freshness

__all__ = ["Status", "as_json_text", "as_table", "notebook_status"]

_UNKNOWN = "–"
_STATES: tuple[Freshness, ...] = ("fresh", "stale", "failed", "never")


@dataclass(frozen=True)
class Status:
    """One framework's notebook of a page.

    `key` is that of the outputs that it has now, `seconds` how long its last run took, `date` that of the last good
    one, and `failure` where the last run failed (`path:line`).
    """

    page: str
    framework: str
    state: Freshness
    seconds: float | None
    date: str
    key: str
    failure: str = ""


def notebook_status(task: Task, store: OutputStore) -> Status:
    """Return what a store knows of a notebook."""
    state, known = freshness(task, store)
    current = task.stored(store)
    key = current.digest if current else known.key
    record = store.load(key) if key else None
    origin = record.provenance if record else {}
    seconds = known.seconds or origin.get("duration")
    failure = known.diagnostic if state == "failed" else None
    return Status(
        task.page,
        task.framework.name,
        state,
        round(float(seconds), 3) if seconds else None,
        str(origin.get("date", "")),
        key if record else "",
        f"{failure.path}:{failure.line}" if failure else "",
    )


def as_table(rows: Iterable[Status]) -> str:
    """Return a line a notebook under a head, columns aligned, and what there is in all."""
    found = list(rows)
    lines = [("page", "framework", "state", "seconds", "last good run", ""), *map(_columns, found)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = [_aligned(line, widths) for line in lines]
    counts = Counter(row.state for row in found)
    total = ", ".join(f"{counts[state]} {state}" for state in _STATES if counts[state])
    noun = "notebook" if len(found) == 1 else "notebooks"
    return "\n".join([*text, f"{len(found)} {noun}: {total}" if found else "no page has code that is executed"])


def as_json_text(rows: Iterable[Status]) -> str:
    return json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=1)


def _columns(row: Status) -> tuple[str, ...]:
    seconds = _UNKNOWN if row.seconds is None else f"{row.seconds:.1f}"
    failure = f"failed at {row.failure}" if row.failure else ""
    return row.page, row.framework, row.state, seconds, row.date[:10] or _UNKNOWN, failure


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    page, framework, state, seconds, *rest = (text.ljust(width) for text, width in zip(line, widths, strict=True))
    return "  ".join([page, framework, state, seconds.strip().rjust(widths[3]), *rest]).rstrip()
