"""The commands `tabbook store gc`, `export` and `import`; each returns the exit status."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from tabbook.config import Config
from tabbook.errors import BookError
from tabbook.execute.store import OutputStore
from tabbook.execute.task import find_tasks
from tabbook.pages import choose_pages, find_pages

__all__ = ["export_outputs", "gc", "import_outputs"]


def gc(options: argparse.Namespace, config: Config, store: OutputStore) -> int:
    from tabbook.execute.collect import collect, parse_size, size_text  # noqa: PLC0415

    limit = parse_size(options.max_size) if options.max_size else None
    tasks = find_tasks(config, find_pages(config), config.tabs, gpus=lambda: 0)  # what any machine may need stays
    needed = {key.digest for task in tasks for key in task.keys}
    done = collect(store, needed, limit, options.dry_run)
    print(done.text(options.dry_run))
    if limit is not None and done.stay_size > limit:
        print(f"what the pages need is larger than {size_text(limit)}; it stays", file=sys.stderr)
    return 0


def export_outputs(options: argparse.Namespace, config: Config, store: OutputStore, frameworks: Sequence[str]) -> int:
    from tabbook.execute.archive import exported, write_archive  # noqa: PLC0415

    if not options.file.name.endswith((".tar.gz", ".tgz")):
        hint = "tabbook store export FILE.tar.gz [PAGE …]"
        raise BookError(f"{options.file}: an archive's name ends in .tar.gz.\n    hint: {hint}")
    if not options.file.absolute().parent.is_dir():
        raise BookError(f"{options.file}: there is no such folder.\n    hint: make it, or name another")
    mtime = _source_date()
    content, missing = exported(find_tasks(config, choose_pages(config, options.pages), frameworks), store)
    if not content.keys:
        hint = "run tabbook execute first, or name the store with --store DIR"
        print(f"{store.folder}: error: it has no outputs of these pages.\n    hint: {hint}", file=sys.stderr)
        return 1
    write_archive(content, store, options.file.absolute(), mtime)
    noun = "notebook" if len(content.keys) == 1 else "notebooks"
    print(f"exported the outputs of {len(content.keys)} {noun} to {options.file}")
    if missing:
        print(f"not up to date, so exported with older outputs or none: {missing}; tabbook status lists them")
    return 0


def import_outputs(options: argparse.Namespace, store: OutputStore) -> int:
    from tabbook.execute.archive import ArchiveError  # noqa: PLC0415
    from tabbook.execute.merge_stores import import_archive  # noqa: PLC0415

    if not options.file.is_file():
        raise BookError(f"{options.file}: no such file.\n    hint: name an archive that tabbook store export wrote")
    try:
        done = import_archive(options.file, store)
    except ArchiveError as error:
        print(
            f"{options.file}: error: this archive is damaged, or none of a store: {error}\n"
            "    hint: nothing of it was taken in; fetch it again, or export it anew",
            file=sys.stderr,
        )
        return 1
    print(done.text())
    return 0


def _source_date() -> int:
    """Return the time that archives carry: SOURCE_DATE_EPOCH, so that equal outputs give equal bytes."""
    value = os.environ.get("SOURCE_DATE_EPOCH") or "0"
    if not value.isascii() or not value.isdigit():
        raise BookError(f"SOURCE_DATE_EPOCH={value}: not a number of seconds.\n    hint: correct it, or unset it")
    return int(value)
