"""Where a second store lies: in a folder, on a web server, or anywhere else that fsspec reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from tabbook.errors import BookError

__all__ = ["Origin", "is_url", "open_origin"]

LARGEST = 2**28
"""Bytes of the largest file that is taken from elsewhere."""

_TIMEOUT = 30  # seconds without a byte from a web server
_ABSENT = (403, 404, 410)  # servers that list nothing, such as S3, answer 403


class Origin(Protocol):
    """Files by their names in a store."""

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes; None if there is no such file.

        Raises:
            OSError: it could not be found out.
        """


def is_url(address: str) -> bool:
    """Tell a URL from a folder.

    >>> is_url("s3://bucket/store"), is_url("../store")
    (True, False)
    """
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*:(//|:)", address) is not None


def open_origin(address: str) -> Origin:
    """Return the files of a folder or below a URL.

    Raises:
        BookError: there is no such folder, or nothing here reads such a URL.
    """
    if not is_url(address):
        return _Folder(address)
    if re.match(r"https?://", address, re.IGNORECASE):
        return _Web(address)
    return _FileSystem(address)


class _Folder:
    def __init__(self, address: str) -> None:
        self.folder = Path(address)
        if self.folder.is_file():
            hint = "unpack it and name the folder, or read it in: tabbook store import FILE"
            raise BookError(f"{address}: this is a file, not the folder of a store.\n    hint: {hint}")
        if not self.folder.is_dir():
            hint = "name the folder of a store or of an unpacked archive, or a URL with its scheme (https://…)"
            raise BookError(f"{address}: no such folder, so no outputs can be read from it.\n    hint: {hint}")

    def read(self, name: str) -> bytes | None:
        try:
            return (self.folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None


class _Web:
    """Read with the standard library: fsspec's own part for the web needs more packages."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")

    def read(self, name: str) -> bytes | None:
        from http.client import HTTPException  # noqa: PLC0415 - loaded only where it is used
        from urllib.error import HTTPError  # noqa: PLC0415
        from urllib.parse import quote  # noqa: PLC0415
        from urllib.request import urlopen  # noqa: PLC0415

        try:
            with urlopen(f"{self.address}/{quote(name)}", timeout=_TIMEOUT) as answer:
                content: bytes = answer.read(LARGEST)
                return content
        except HTTPError as error:
            if error.code in _ABSENT:
                return None
            raise
        except (HTTPException, ValueError) as error:  # a broken answer, a broken address
            raise OSError(str(error) or type(error).__name__) from error


class _FileSystem:
    def __init__(self, address: str) -> None:
        from fsspec.core import url_to_fs  # noqa: PLC0415 - folders do not need it

        try:
            self.files, self.root = url_to_fs(address)
        except (ImportError, ValueError) as error:
            hint = "check the scheme; some need a package in the site's environment, such as s3fs for s3://"
            raise BookError(f"{address}: nothing here reads such an address: {error}\n    hint: {hint}") from error

    def read(self, name: str) -> bytes | None:
        try:
            content: bytes = self.files.cat_file(f"{self.root.rstrip('/')}/{name}")
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return None
        except OSError:
            raise
        except Exception as error:  # each file system has exceptions of its own
            raise OSError(f"{type(error).__name__}: {error}") from error
        return content
