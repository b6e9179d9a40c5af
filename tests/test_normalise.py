"""What readers see of outputs: the same in every run, and nothing of this machine."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import REPOSITORY
from tabbook.config import load_config
from tabbook.execute.normalise import machine_paths, normalise_outputs

PATHS = {"/tmp/tb-x1/work": "…", "/book/_build/environments/jax": "…", "/book": "…", "/home/me": "~"}


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def result(text: str, kind: str = "text/plain", count: int | None = 7) -> dict[str, Any]:
    return {"output_type": "execute_result", "data": {kind: text}, "metadata": {}, "execution_count": count}


def shown(text: str, *noise: str) -> str:
    """Return a stream's text as readers see it."""
    outputs = normalise_outputs([stream(text)], noise, PATHS)
    return "".join(output["text"] for output in outputs)


TEXTS = {
    "an object's address": ("<object at 0x7f3a12b4c5d0>", "<object at 0x…>"),
    "a function's address": ("<function f at 0x55d0aa12bc30>\n", "<function f at 0x…>\n"),
    "a short address": ("<T at 0x1f40>", "<T at 0x…>"),
    "an address of a C++ log": ("freed 0x7ffd01234567", "freed 0x…"),
    "a number that a cell prints": ("0x499602d2 0xffffffff", "0x499602d2 0xffffffff"),
    "colours": ("\x1b[31mred\x1b[0m \x1b[1;32mgreen\x1b[0m", "red green"),
    "cursor movement": ("\x1b[2K\x1b[?25lx\x1b[1A", "x"),
    "a terminal's link": ("\x1b]8;;http://a\x1b\\word\x1b]8;;\x07", "word"),
    "the environment's path": ("/book/_build/environments/jax/lib/x.py", "…/lib/x.py"),
    "the book's path": ("/book/docs/x.md", "…/docs/x.md"),
    "the scratch folder": ("/tmp/tb-x1/work/docs", "…/docs"),
    "the home folder": ("/home/me/.cache/x", "~/.cache/x"),
    "a warning in a cell": ("/tmp/ipykernel_123/4567.py:3: UserWarning: no", "…:3: UserWarning: no"),
    "a progress bar": (" 10%|#   |\r 50%|##  |\r100%|####|\n", "100%|####|\n"),
    "a progress bar that ends with a return": ("10%\r100%\r", "100%"),
    "a progress bar between lines": ("a\n1%\r2%\nb\n", "a\n2%\nb\n"),
    "lines that end as on Windows": ("a\r\nb\r\n", "a\nb\n"),
    "blank lines": ("a\n\n\nb\n", "a\n\n\nb\n"),
    "text without a last newline": ("a\nb", "a\nb"),
    "Japanese": ("損失は0.5\n", "損失は0.5\n"),
    "a folder whose name begins like the book's": ("/book2/x /my/book/x", "/book2/x /my/book/x"),
    "a path in quotes and at an end": ("'/book' /book: /book.", "'…' …: …."),
    "colours of many kinds": ("\x1b[38:2::1:2:3ma\x1b[0m \x1b(Bb\x1b=", "a b"),
    "a thread": ("<Thread(Thread-1, started 139872344)>", "<Thread(Thread-1, started …)>"),
    "a daemon thread": ("<Thread(T, started daemon 139872344999)>", "<Thread(T, started …)>"),
    "%time": (
        "CPU times: user 12.3 ms, sys: 0 ns, total: 12.3 ms\nWall time: 12.5 ms\n",
        "CPU times: user …, sys: …, total: …\nWall time: …\n",
    ),
    "%time of what takes minutes": (
        "CPU times: user 1min 2s, sys: 1.5 s, total: 1min 3s\nWall time: 2h 3min 4s\n",
        "CPU times: user …, sys: …, total: …\nWall time: …\n",
    ),
    "%time of what takes no time": (
        "CPU times: user 3 μs, sys: 1e+03 ns, total: 4 µs\n",
        "CPU times: user …, sys: …, total: …\n",
    ),
    "%timeit": (
        "12.3 μs ± 456 ns per loop (mean ± std. dev. of 7 runs, 100,000 loops each)\n",
        "… ± … per loop (mean ± std. dev. of 7 runs, … loops each)\n",
    ),
    "%timeit of one loop": (
        "1min 2s ± 1.2 s per loop (mean ± std. dev. of 1 run, 1 loop each)",
        "… ± … per loop (mean ± std. dev. of 1 run, … loop each)",
    ),
    "times that a cell means to say": (
        "10 s, 2 ms per step\nThe wall time: 3 s\n",
        "10 s, 2 ms per step\nThe wall time: 3 s\n",
    ),
    "tqdm": ("100%|██████████| 10/10 [00:01<00:00, 9.87it/s]\n", "100%|██████████| 10/10\n"),
    "tqdm at its beginning": ("epoch 1:   0%|    | 0/10 [00:00<?, ?it/s]", "epoch 1:   0%|    | 0/10"),
    "tqdm of hours": ("5%|#  | 1.2M/24M [1:02:03<20:04:05, 345kB/s]", "5%|#  | 1.2M/24M"),
    "tqdm with values": ("10/10 [00:01<00:00,  1.23s/it, loss=0.5, acc=1]", "10/10 [loss=0.5, acc=1]"),
    "tqdm without an end": ("12it [00:00, 345.67it/s]", "12it"),
    "lists like tqdm's": ("x [00:01, 2] [1:2] [10:20:30]", "x [00:01, 2] [1:2] [10:20:30]"),
    "Keras": ("10/10 ━━━━━━━━━━━━━━━━━━━━ 1s 52ms/step - loss: 0.5", "10/10 ━━━━━━━━━━━━━━━━━━━━ - loss: 0.5"),
    "Keras in minutes": ("10/10 ━━━━━ 1:05 2s/step - loss: 0.5", "10/10 ━━━━━ - loss: 0.5"),
    "Keras without a bar": ("10/10 - 1s - 85ms/step - loss: 0.5", "10/10 - loss: 0.5"),
}
ON_A_TERMINAL = {
    "a longer line below a shorter one": ("loss 0.1234\rloss 0.5   \rdone\x1b[K\n", "done\n"),
    "what a shorter line leaves": ("abc\rX\n", "Xbc\n"),
    "a bar that goes away": ("50%|##  |\r         \rafter\n", "after\n"),
    "backspaces": ("1/2 ━━\b\b\b\b\b\b\r2/2 ━━━━\n", "2/2 ━━━━\n"),
    "bars in bars": (
        "outer 0%\n\rinner 0%\x1b[A\n\rinner 9%\x1b[A\router 5%\n\rinner 9%\x1b[A\n",
        "outer 5%\ninner 9%",
    ),
    "a cursor that goes where nothing is": ("a\x1b[3Cb\x1b[2Bc", "a   b\n\n     c"),
    "a column": ("abcdef\x1b[3GX", "abXdef"),
    "the part of a line before the cursor": ("abcdef\x1b[3D\x1b[1K", "    ef"),
}


@pytest.mark.parametrize("case", ON_A_TERMINAL)
def test_streams_are_shown_as_a_terminal_shows_them(case: str) -> None:
    """What a progress bar wrote over is gone, however often it was drawn."""
    text, expected = ON_A_TERMINAL[case]
    assert shown(text) == expected


@pytest.mark.parametrize("case", TEXTS)
def test_text_of_streams(case: str) -> None:
    """In printed text only what differs between runs and machines is replaced."""
    text, expected = TEXTS[case]
    assert shown(text) == expected


@pytest.mark.parametrize("case", [case for case in TEXTS if not case.startswith(("a progress", "lines that"))])
def test_text_of_results(case: str) -> None:
    """The same holds for a cell's value, in plain text and in HTML."""
    text, expected = TEXTS[case]
    for kind in ("text/plain", "text/html"):
        assert normalise_outputs([result(text, kind)], (), PATHS)[0]["data"] == {kind: expected}


NOISE = {
    "tensorflow: absl before its start": (
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
        "I0000 00:00:1763856000.123456   12345 cpu_feature_guard.cc:227] This TensorFlow binary is optimized\n"
        "E0000 00:00:1763856000.123456 12345 cuda_dnn.cc:8579] Unable to register cuDNN factory\n",
        "",
    ),
    "tensorflow: its own log": (
        "2026-11-23 20:31:07.123456: I tensorflow/core/platform/cpu_feature_guard.cc:210] optimized\n"
        "2026-11-23 20:31:07.123456: E external/local_xla/xla/stream_executor/cuda/cuda_driver.cc:152] failed\n"
        "tf.Tensor([1. 2.], shape=(2,), dtype=float32)\n",
        "tf.Tensor([1. 2.], shape=(2,), dtype=float32)\n",
    ),
    "tensorflow: what a cell prints": ("2026-11-23 is a date\nI0000\n", "2026-11-23 is a date\nI0000\n"),
    "mxnet: its log": (
        "[20:31:07] ../src/storage/storage.cc:199: Using Pooled (Naive) StorageManager for CPU\n"
        "[20:31:07] src/base.cc:49: GPU context requested\n[1. 2.]\n",
        "[1. 2.]\n",
    ),
    "mxnet: a list that begins like it": ("[20:31:07]\n", "[20:31:07]\n"),
    "jax: no accelerator": (
        "WARNING:absl:No GPU/TPU found, falling back to CPU.\n"
        "INFO:2026-11-23 20:31:07,000:jax._src.xla_bridge:925: Unable to initialize backend 'tpu'\n"
        "An NVIDIA GPU may be present on this machine, but a CUDA-enabled jaxlib is not installed.\nok\n",
        "ok\n",
    ),
    "jax: what a cell prints": ("WARNING: low\n", "WARNING: low\n"),
    "pytorch: nothing is noise": ("I0000 00:00:1 x\n", "I0000 00:00:1 x\n"),
}


@pytest.mark.parametrize("case", NOISE)
def test_the_frameworks_log_lines_are_dropped(case: str) -> None:
    """The regular expressions that tabbook brings along match the frameworks' chatter, and not what cells print."""
    framework = load_config(REPOSITORY).frameworks[case.split(":", 1)[0]]
    text, expected = NOISE[case]
    assert shown(text, *framework.noise) == expected


CHATTER = {
    "matplotlib's first run": ("Matplotlib is building the font cache; this may take a moment.\nok\n", "ok\n"),
    "%time of what is compiled": ("Compiler : 123 ms\nParser   : 1.2 s\nCompiler time: 0.12 s\nok\n", "ok\n"),
    "%timeit that is not sure": (
        "The slowest run took 4.56 times longer than the fastest. This could mean that an intermediate result "
        "is being cached.\nok\n",
        "ok\n",
    ),
    "what a cell prints": ("Compiler: gcc\nThe slowest run took 3 s\n", "Compiler: gcc\nThe slowest run took 3 s\n"),
}


@pytest.mark.parametrize("case", CHATTER)
def test_what_comes_and_goes_is_dropped_in_every_framework(case: str) -> None:
    text, expected = CHATTER[case]
    assert shown(text) == expected


def test_paths_of_a_machine(tmp_path: Path) -> None:
    """By both names where there is a symbolic link, the inner one first, and never the root of everything."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    paths = machine_paths([tmp_path / "link", tmp_path / "real" / "inner", Path("/")], tmp_path)
    assert "/" not in paths
    text = f"{tmp_path}/link/a {tmp_path}/real/inner/b {tmp_path}/c /d"
    assert normalise_outputs([stream(text)], (), paths) == [stream("…/a …/b ~/c /d")]


SVG = """<svg><metadata><dc:date>2026-11-23T20:31:07.123456</dc:date>
  <dc:format>image/svg+xml</dc:format></metadata>
<path id="patch_1" clip-path="url(#pa1b2c3d4e5)"/><use xlink:href="#m0123456789"/>
<clipPath id="pa1b2c3d4e5"/><path id="m0123456789" d="M 0 0 L 10.5 0"/></svg>"""


def svg(text: str) -> str:
    output = {"output_type": "display_data", "data": {"image/svg+xml": text}, "metadata": {}}
    cleaned: str = normalise_outputs([output], (), PATHS)[0]["data"]["image/svg+xml"]
    return cleaned


def test_svg_has_no_date_and_ids_of_its_content() -> None:
    """Random ids become the same in every run, links follow them, and another picture has other ones."""
    random = SVG.replace("a1b2c3d4e5", "ffffffffff").replace("0123456789", "9876543210").replace("20:31", "20:32")
    assert svg(SVG) == svg(random)
    assert svg(svg(SVG)) == svg(SVG)
    assert "dc:date" not in svg(SVG)
    ids = re.findall(r'id="([^"]+)"', svg(SVG))
    links = re.findall(r"#(\w+)", svg(SVG))
    assert ids[0] == "patch_1"
    assert sorted(ids[1:]) == sorted(links)
    assert not set(links) & set(re.findall(r"#(\w+)", svg(SVG.replace("10.5", "10.6"))))
    digits = re.compile("[0-9a-f]{10}")
    assert digits.sub("", svg(SVG)) == digits.sub(
        "", SVG.replace("<dc:date>2026-11-23T20:31:07.123456</dc:date>\n", "")
    )


def test_noise_in_pieces_is_noise() -> None:
    """A log line that arrives in two messages is matched as the line that it is."""
    outputs = [stream("a\n[20:31:07] ..", "stderr"), stream("/x.cc:1: hello\nb\n", "stderr")]
    assert normalise_outputs(outputs, [r"^\[\d\d:\d\d:\d\d\] .*\.cc:\d+:"], {}) == [stream("a\nb\n", "stderr")]


def test_a_progress_bar_in_pieces_is_one_line() -> None:
    outputs = [stream("1%\r"), stream("50%\r"), stream("100%\n")]
    assert normalise_outputs(outputs, (), {}) == [stream("100%\n")]


def test_streams_are_joined_and_standard_output_comes_first() -> None:
    """How the two streams mix differs from run to run, so each is shown in one piece between other outputs."""
    outputs = [
        stream("1\n", "stderr"),
        stream("2\n"),
        stream("3\n", "stderr"),
        stream("4\n"),
        result("5"),
        stream("6\n"),
    ]
    kept = normalise_outputs(outputs, (), {})
    assert kept == [stream("2\n4\n"), stream("1\n3\n", "stderr"), result("5", count=None), stream("6\n")]


def test_an_output_that_was_noise_alone_is_dropped() -> None:
    assert normalise_outputs([stream("x\n", "stderr"), result("1")], ["^x$"], {}) == [result("1", count=None)]


def test_noise_is_looked_for_in_streams_only() -> None:
    assert normalise_outputs([result("x")], ["x"], {}) == [result("x", count=None)]


def test_pictures_and_data_are_left_alone() -> None:
    """Only text is rewritten: an address may be part of a picture's bytes."""
    data = {"image/png": "<object at 0x7f3a12b4c5d0>", "application/json": {"at": "0x7f3a12b4c5d0"}}
    output = {"output_type": "display_data", "data": data, "metadata": {}}
    assert normalise_outputs([output], (), PATHS) == [output]


def test_the_given_outputs_are_not_changed() -> None:
    output = result("<object at 0x7f3a12b4c5d0>")
    normalise_outputs([output], (), PATHS)
    assert output == result("<object at 0x7f3a12b4c5d0>")


def test_normalising_twice_changes_nothing() -> None:
    once = normalise_outputs([stream(text) for text, _ in TEXTS.values()], (), PATHS)
    assert normalise_outputs(once, (), PATHS) == once


@pytest.mark.parametrize("piece", ["a", "1", " ", "1 2 3 ", "\r1", "[00:", "━ 1", "0x7f", "ab/"])
def test_long_outputs_take_no_time(piece: str) -> None:
    """No pattern looks at a long line again and again: 100,000 characters take well under a second."""
    began = time.process_time()
    shown(piece * (100_000 // len(piece)))
    assert time.process_time() - began < 1
