"""Outputs as readers should see them: without addresses, times, escape codes, paths of this machine and log noise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from tabbook.execute.figures import normalise_svg
from tabbook.execute.terminal import screen, without_escapes

__all__ = ["machine_paths", "normalise_outputs"]

# As Python writes addresses, and as C++ does: those of a Linux process begin with 55, 56 or 7f.
_ADDRESS = re.compile(r"(?<=\bat )0x[0-9a-fA-F]+\b|\b0x(?:55|56|7[ef])[0-9a-f]{10}\b")
_THREAD = re.compile(r"(?<=, started )(?:daemon )?\d{9,}(?=\)>)")
_CELL_FILE = re.compile(r"(?<![^\s\"'])[^\s\"']*/ipykernel_\d+/\d+\.py")

_TIME = r"(?<![\d.])\d[\d.]*+(?:e[+-]?\d++)? ?(?:d|h|min|s|ms|[uµμ]s|ns)(?: \d+(?:h|min|s))*"
# What IPython's %time and %timeit say: measured times, and a number of loops chosen by them.
_TIMES = re.compile(rf"^(?:CPU times|Wall time): .*|(?:{_TIME}|…) (?:±|\+-) (?:{_TIME}|…) per loop\b.*", re.MULTILINE)
_MEASURED = re.compile(rf"{_TIME}|[\d,]+(?= loops? each)")
# tqdm: `| 10/10 [00:01<00:00, 9.87it/s, loss=0.1]`; Keras: `10/10 ━━━━ 1s 5ms/step - loss: 0.1`
_CLOCK = r"(?:\d+:)*\d+:\d\d"
_TQDM = re.compile(rf" \[{_CLOCK}(?:<(?:{_CLOCK}|\?))?, [^,\]\n]*(?:/s|s/)[^,\]\n]*(?:, ([^\]\n]*))?\]")
_KERAS = re.compile(
    r"(?:(?<=━)|(?<=/Unknown)) (?:(?:\d+:)+\d+|\d+s)(?: \d+[mu]?s/\w+)?|(?<=\d) - \d+s -? ?\d+[mu]?s/\w+"
)

_NOISE = (
    r"^Matplotlib is building the font cache; this may take a moment\.",
    r"^Matplotlib created a temporary cache directory at ",
    rf"^(?:Compiler|Parser)(?: time)? *: {_TIME}$",
    r"^The slowest run took .* times longer than the fastest",
)
_TEXT_TYPES = ("text/plain", "text/html", "text/markdown", "text/latex")

Output = dict[str, Any]


def normalise_outputs(
    outputs: Iterable[Mapping[str, Any]], noise: Sequence[str], paths: Mapping[str, str]
) -> list[Output]:
    """Return nbformat outputs with what differs from run to run taken out.

    Args:
        outputs: the outputs of one cell.
        noise: regular expressions; lines of streams that match one are dropped.
        paths: folders of this machine, and what is shown instead (see `machine_paths`).
    """
    noisy = [re.compile(pattern) for pattern in (*_NOISE, *noise)]
    result: list[Output] = []
    for is_stream, run in groupby(outputs, key=lambda output: output["output_type"] == "stream"):
        pieces = list(run)
        result += _streams(pieces, noisy, paths) if is_stream else [_display(piece, paths) for piece in pieces]
    return result


def machine_paths(hidden: Iterable[Path], home: Path) -> dict[str, str]:
    """Return what is shown instead of folders, as they are called and as they are called without symbolic links.

    Of folders within each other the inner one counts. The root of the file system stands for nothing.
    """
    shown = {str(form): "~" for form in (home, home.resolve())}
    shown |= {str(form): "…" for folder in hidden for form in (folder, folder.resolve())}
    return {folder: shown[folder] for folder in sorted(shown, key=len, reverse=True) if len(Path(folder).parts) > 1}


def _streams(
    outputs: Iterable[Mapping[str, Any]], noisy: Sequence[re.Pattern[str]], paths: Mapping[str, str]
) -> list[Output]:
    """Join what comes in pieces, and put standard output first: how the two streams mix differs from run to run."""
    texts: dict[str, str] = {}
    for output in outputs:
        texts[output["name"]] = texts.get(output["name"], "") + output["text"]
    clean = {name: _without_noise(_clean(screen(texts[name]), paths), noisy) for name in sorted(texts, reverse=True)}
    return [{"output_type": "stream", "name": name, "text": text} for name, text in clean.items() if text]


def _display(output: Mapping[str, Any], paths: Mapping[str, str]) -> Output:
    clean = dict(output)
    if clean["output_type"] == "error":  # one that the author has announced: readers need no way through the library
        clean["evalue"] = _clean(clean["evalue"], paths)
        clean["traceback"] = [f"{clean['ename']}: {clean['evalue']}"]
    if "data" in clean:
        clean["data"] = {kind: _clean_data(kind, value, paths) for kind, value in clean["data"].items()}
    if "execution_count" in clean:
        clean["execution_count"] = None
    return clean


def _clean_data(kind: str, value: Any, paths: Mapping[str, str]) -> Any:
    if kind == "image/svg+xml":
        return normalise_svg(value)
    return _clean(value, paths) if kind in _TEXT_TYPES else value


def _clean(text: str, paths: Mapping[str, str]) -> str:
    text = without_escapes(text)
    for folder, shown in paths.items():
        text = re.sub(rf"(?<![\w.-]){re.escape(folder)}(?![\w-])", shown, text)
    text = _ADDRESS.sub("0x…", _THREAD.sub("…", _CELL_FILE.sub("…", text)))
    text = _TIMES.sub(lambda line: _MEASURED.sub("…", line[0]), text)
    return _KERAS.sub("", _TQDM.sub(lambda bar: f" [{bar[1]}]" if bar[1] else "", text))


def _without_noise(text: str, noisy: Sequence[re.Pattern[str]]) -> str:
    return "\n".join(line for line in text.split("\n") if not any(pattern.search(line) for pattern in noisy))
