"""What a node of a cluster needs of a book, as bytes; the same book gives the same bytes."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tabbook.config import CONFIG_NAME, Config, load_config
from tabbook.errors import BookError
from tabbook.execute.key import data_files

__all__ = ["pack", "unpack"]


def pack(config: Config, frameworks: Sequence[str]) -> bytes:
    """Return an archive of what the notebooks of these frameworks are executed with: all but the pages.

    Raises:
        BookError: a file of the book lies outside its folder.
    """
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, path in sorted(_members(config, frameworks).items()):
            written = path.read_bytes()
            header = tarfile.TarInfo(name)  # no owner, no time
            header.size, header.mode = len(written), 0o644
            archive.addfile(header, io.BytesIO(written))
    return content.getvalue()


def unpack(content: bytes, folder: Path) -> Config:
    """Make the book in an empty folder; nothing of it is written anywhere else."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        if hasattr(tarfile, "data_filter"):  # not in the first releases of Python 3.11
            archive.extractall(folder, filter="data")
        else:
            archive.extractall(folder, [member for member in archive if _is_within(member)])
    return load_config(folder)


def _is_within(member: tarfile.TarInfo) -> bool:
    return member.isreg() and not member.name.startswith("/") and ".." not in member.name.split("/")


def _members(config: Config, frameworks: Sequence[str]) -> dict[str, Path]:
    members = {}
    for path in _files(config, frameworks):
        place = Path(os.path.normpath(path))
        if not place.is_relative_to(config.root):
            hint = "move it into the folder, and correct config.ini"
            message = f"{path}: it lies outside the book's folder, and cannot be sent to other machines"
            raise BookError(f"{message}.\n    hint: {hint}")
        members[place.relative_to(config.root).as_posix()] = place
    return members


def _files(config: Config, frameworks: Sequence[str]) -> Iterator[Path]:
    yield config.root / CONFIG_NAME
    yield config.source_dir / f"{config['build']['index'].removesuffix('.md')}.md"  # without it, it is no book
    for name in frameworks:
        requirements = config.frameworks[name].requirements
        if requirements is not None:
            yield from requirements.parent.glob("*.txt")  # one may name another by `-r` or `-c`
    yield from (path for path in _within(config.root / config["tabbook"]["library"]) if path.suffix != ".pyc")
    yield from data_files(config)
    for name in config["build"]["resources"].split():
        yield from _within(config.source_dir / name)


def _within(path: Path) -> Iterator[Path]:
    yield from (file for file in [path, *path.rglob("*")] if file.is_file())
