"""What an author sees while notebooks run: a live display on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tabbook.errors import Diagnostic

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

__all__ = ["Progress"]


class Progress:
    """Reports on standard error."""

    def __init__(self) -> None:
        self.bar: Bar | None = None
        self.bar_task: TaskID | None = None
        self.running: list[str] = []
        self.total = 0
        self.count = 0

    def line(self, text: str) -> None:
        """Say one thing; a live display stays below it."""
        if self.bar:
            self.bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=sys.stderr, flush=True)

    @contextmanager
    def showing(self, total: int) -> Iterator[None]:
        """Show the progress of `total` notebooks."""
        self.total, self.count = total, 0
        if not sys.stderr.isatty():
            yield
            return
        from rich.console import Console  # noqa: PLC0415 - loaded only where it is shown
        from rich.progress import Progress as Bar  # noqa: PLC0415

        try:
            with Bar(console=Console(stderr=True), transient=True) as self.bar:
                self.bar_task = self.bar.add_task("executing", total=total)
                yield
        finally:
            self.bar = None

    def start(self, page: str, title: str) -> None:
        self.running.append(f"{page} · {title}")
        self._show()

    def done(self, page: str, title: str, seconds: float) -> None:
        self._end(page, title)
        self.line(f"[{self.count}/{self.total}] {page} · {title}: {seconds:.1f} s")

    def failed(self, page: str, title: str, diagnostic: Diagnostic) -> None:
        self._end(page, title)
        self.line(f"[{self.count}/{self.total}] {page} · {title}: failed at {diagnostic.path}:{diagnostic.line}")

    def reused(self, page: str, title: str) -> None:
        self.count += 1
        self.line(f"[{self.count}/{self.total}] {page} · {title}: the same code was executed meanwhile; reused")
        self._show()

    def lost(self, page: str, title: str, reason: str) -> None:
        """Say that a notebook's machine is gone; it will be started again, or be failed."""
        self.running.remove(f"{page} · {title}")
        self.line(f"{page} · {title}: {reason}")

    def damaged(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.line(f"the stored outputs {key[:12]} were damaged; they were dropped and will be made again")

    def _end(self, page: str, title: str) -> None:
        self.running.remove(f"{page} · {title}")
        self.count += 1
        self._show()

    def _show(self) -> None:
        if self.bar and self.bar_task is not None:
            text = ", ".join(self.running) or "finishing"
            self.bar.update(self.bar_task, completed=self.count, description=text)
