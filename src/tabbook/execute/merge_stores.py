"""Take in what another machine has executed, without losing anything newer that was executed here."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tabbook.execute.archive import ArchiveContent, read_archive
from tabbook.execute.claims import locked
from tabbook.execute.store import OutputStore, PageState

__all__ = ["Imported", "import_archive"]

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass
class Imported:
    """What an import did."""

    entries: int = 0
    new: int = 0
    states: int = 0
    kept: int = 0

    def text(self) -> str:
        """Return the closing line.

        >>> Imported(8, 6, 8, 1).text()
        'imported the outputs of 8 notebooks, 6 of them new; page states: 7 taken over, 1 left as it was here'
        """
        outputs = "1 notebook" if self.entries == 1 else f"{self.entries} notebooks"
        states = f"{self.states - self.kept} taken over, {self.kept} left as it was here"
        return f"imported the outputs of {outputs}, {self.new} of them new; page states: {states}"


def import_archive(path: Path, store: OutputStore) -> Imported:
    """Merge an archive into a store: nothing of it, unless all of it is good.

    Raises:
        ArchiveError: it is not; the store is as it was.
    """
    made = not store.folder.is_dir()
    store.folder.mkdir(parents=True, exist_ok=True)
    try:
        with read_archive(path, store.folder) as (content, staged), locked(store.folder):
            return _merge(content, staged, store)
    finally:
        if made:
            with suppress(OSError):  # it is in use now
                store.folder.rmdir()


def _merge(content: ArchiveContent, staged: OutputStore, store: OutputStore) -> Imported:
    done = Imported(entries=len(content.keys), states=len(content.states))
    for key in content.keys:
        if store.load(key) is None:
            files = staged.files(key)
            assert files is not None, "it was verified"
            store.keep(key, files)
            done.new += 1
    for (framework, page), theirs in content.states.items():
        ours = store.state(framework, page)
        merged = _merged(ours, theirs, store)
        if merged == ours:
            done.kept += 1
        else:
            store.note(framework, page, merged)
    return done


def _merged(ours: PageState, theirs: PageState, store: OutputStore) -> PageState:
    """Return what is known of a page now: of two good results the newer one, and our own failure."""
    if ours == PageState():
        return theirs
    if theirs.key and ours.failed_key == theirs.key:  # the code that failed here ran there
        ours = replace(ours, failed_key="", failure=None)
    if theirs.key and _date(theirs.key, store) > _date(ours.key, store):
        return replace(ours, key=theirs.key, seconds=theirs.seconds)
    return ours


def _date(key: str, store: OutputStore) -> datetime:
    """Return when outputs were made; without outputs, before all others."""
    record = store.load(key)
    try:
        date = datetime.fromisoformat(str(record.provenance["date"])) if record else _NEVER
        return date if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, KeyError):
        return _NEVER.replace(microsecond=1)  # there are outputs
