"""Outputs as readers should see them: without addresses, escape codes, paths of this machine and log noise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

__all__ = ["normalise_outputs"]

_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
# As Python writes addresses, and as C++ does: those of a Linux process begin with 55, 56 or 7f.
_ADDRESS = re.compile(r"(?<=\bat )0x[0-9a-fA-F]+\b|\b0x(?:55|56|7[ef])[0-9a-f]{10}\b")
_CELL_FILE = re.compile(r"[^\s\"']*/ipykernel_\d+/\d+\.py")
_TEXT_TYPES = ("text/plain", "text/html", "text/markdown", "text/latex")

Output = dict[str, Any]


def normalise_outputs(
    outputs: Iterable[Mapping[str, Any]], noise: Sequence[str], paths: Mapping[str, str]
) -> list[Output]:
    """Return nbformat outputs with what differs from run to run taken out.

    Args:
        outputs: the outputs of one cell.
        noise: regular expressions; lines of streams that match one are dropped.
        paths: folders of this machine, and what is shown instead.
    """
    noisy = [re.compile(pattern) for pattern in noise]
    result: list[Output] = []
    for is_stream, run in groupby(outputs, key=lambda output: output["output_type"] == "stream"):
        pieces = list(run)
        result += _streams(pieces, noisy, paths) if is_stream else [_display(piece, paths) for piece in pieces]
    return result


def _streams(
    outputs: Iterable[Mapping[str, Any]], noisy: Sequence[re.Pattern[str]], paths: Mapping[str, str]
) -> list[Output]:
    """Join what comes in pieces, and put standard output first: how the two streams mix differs from run to run."""
    texts: dict[str, str] = {}
    for output in outputs:
        texts[output["name"]] = texts.get(output["name"], "") + output["text"]
    clean = {name: _without_noise(_clean(texts[name], paths), noisy) for name in sorted(texts, reverse=True)}
    return [{"output_type": "stream", "name": name, "text": text} for name, text in clean.items() if text]


def _display(output: Mapping[str, Any], paths: Mapping[str, str]) -> Output:
    clean = dict(output)
    if "data" in clean:
        clean["data"] = {
            kind: _clean(value, paths) if kind in _TEXT_TYPES else value for kind, value in clean["data"].items()
        }
    if "execution_count" in clean:
        clean["execution_count"] = None
    return clean


def _clean(text: str, paths: Mapping[str, str]) -> str:
    for folder, shown in paths.items():
        text = text.replace(folder, shown)
    return _ADDRESS.sub("0x…", _CELL_FILE.sub("…", _ESCAPE.sub("", text)))


def _without_noise(text: str, noisy: Sequence[re.Pattern[str]]) -> str:
    lines = [_overwritten(line) for line in text.split("\n")]
    return "\n".join(line for line in lines if not any(pattern.search(line) for pattern in noisy))


def _overwritten(line: str) -> str:
    """Return what a terminal shows of a line that carriage returns begin anew, as progress bars do."""
    return line.rstrip("\r").rsplit("\r", 1)[-1]
