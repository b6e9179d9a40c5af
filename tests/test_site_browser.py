"""The real book in a real browser: the switch works, and nothing is fetched from elsewhere."""

from __future__ import annotations

import functools
import http.server
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import REPOSITORY
from tabbook.config import load_config

pytestmark = pytest.mark.slow

FRAMEWORKS = load_config(REPOSITORY).tabs
REFERENCE = "chapter_builders-guide/custom-layer"
CHROMIUM = Path("/usr/bin/chromium")


def needs_chromium() -> None:
    """Skip by name without Chromium; fail where nothing may be skipped."""
    if CHROMIUM.exists():
        return
    reason = f"Chromium is missing: {CHROMIUM} does not exist (make setup-system installs it)"
    if os.environ.get("TABBOOK_NO_SKIP") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    needs_chromium()
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    flags = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-gpu"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=flags)
        yield chromium
        chromium.close()


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """The site behind a real web server on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


_VISIBLE = """() => {
  for (const details of document.querySelectorAll("article details")) details.open = true;
  return [...document.querySelectorAll("article .cell_output")].map(output => ({
    frameworks: output.closest(".framework-panel")?.dataset.framework ?? null,
    visible: output.getClientRects().length > 0,
    text: output.textContent,
  }));
}"""


def choose(page: Any, framework: str) -> None:
    page.locator(f'.framework-switch label:has(input[value="{framework}"])').click()


def chosen(page: Any) -> str:
    return str(page.locator(".framework-switch input:checked").get_attribute("value"))


def assert_sees(page: Any, framework: str) -> None:
    """Assert that exactly the outputs for `framework` are visible."""
    assert chosen(page) == framework
    outputs = page.evaluate(_VISIBLE)
    expected = [output["frameworks"] is None or framework in output["frameworks"].split() for output in outputs]
    assert [output["visible"] for output in outputs] == expected
    seen = "".join(output["text"] for output in outputs if output["visible"])
    marks = {"pytorch": "tensor([-2", "mxnet": " array([-2", "jax": "Array([-2", "tensorflow": "<tf.Tensor: shape=(5,)"}
    found = {name for name, mark in marks.items() if re.search(rf"(^|\n){re.escape(mark.strip())}", seen)}
    assert found == {framework}


def test_in_chromium_each_click_shows_that_frameworks_outputs(browser: Any, address: str) -> None:
    """Each label is clicked; then its framework's outputs are visible and no other's. Nothing is fetched elsewhere."""
    requests: list[str] = []
    errors: list[str] = []
    page = browser.new_page()
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{address}/{REFERENCE}.html")
    assert_sees(page, "pytorch")
    for framework in ("tensorflow", "jax", "mxnet", "pytorch"):
        choose(page, framework)
        assert_sees(page, framework)
    page.close()
    assert errors == []
    assert requests
    assert [url for url in requests if not url.startswith((address, "data:"))] == []


def test_in_chromium_the_choice_survives_going_to_another_page(browser: Any, address: str) -> None:
    """A reader chooses once; an address with `?framework=` goes first."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/{REFERENCE}.html")
    choose(page, "mxnet")
    page.goto(f"{address}/chapter_builders-guide/model-construction.html")
    assert chosen(page) == "mxnet"
    page.goto(f"{address}/{REFERENCE}.html?framework=jax")
    assert_sees(page, "jax")
    page.goto(f"{address}/{REFERENCE}.html?framework=no-such-framework")
    assert chosen(page) in ("mxnet", "jax")
    context.close()


def test_in_chromium_it_works_from_the_disk_and_without_scripts(browser: Any, site: Path) -> None:
    """Opened as a file, with and without JavaScript, the switch works."""
    page = browser.new_page()
    page.goto((site / f"{REFERENCE}.html").as_uri() + "?framework=tensorflow")
    assert_sees(page, "tensorflow")
    choose(page, "mxnet")
    assert_sees(page, "mxnet")
    page.close()
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / f"{REFERENCE}.html").as_uri())
    jax = page.locator('.framework-panel[data-framework~="jax"]').first
    assert not jax.is_visible()
    choose(page, "jax")
    assert jax.is_visible()
    assert not page.locator('.framework-panel[data-framework="pytorch"]').first.is_visible()
    context.close()
