"""The page for phones in each browser that tests drive, without a network."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from chromium import find_chromium, open_page
from firefox import find_firefox, open_firefox
from tab import Tab

BROWSERS = {"chromium": (find_chromium, open_page), "firefox": (find_firefox, open_firefox)}
# A browser that cannot run the first of the page's modules, the one with vectors.
WITHOUT_VECTORS = """
const validate = WebAssembly.validate.bind(WebAssembly);
let asked = 0;
WebAssembly.validate = (bytes) => asked++ % 2 > 0 && validate(bytes);
"""
ANSWERS = """(async () => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const engine = await kdEngine.open(data), test = engine.selfTest();
  const windows = kdEngine.bytesOf(data.raw.windows), size = engine.rawBytes, raw = [];
  for (let at = 0; at < windows.length; at += size)
    raw.push(Array.from(engine.runRaw(windows.subarray(at, at + size))));
  return { core: engine.core, n: test.n, wrong: test.wrong, raw };
})()"""


@contextlib.contextmanager
def opened(browser: str, page_file: Path, folder: Path, *, before: str = "") -> Iterator[Tab]:
    """The page in a browser, once it has shown two windows; it must not complain.

    Args:
        browser: a key of `BROWSERS`; the test skips without it.
        folder: for the browser's profile.
        before: statements that run before the page's own.
    """
    find, open_browser = BROWSERS[browser]
    find()
    with open_browser(folder) as page:
        page.look(390, 844)
        page.go_offline()
        if before:
            page.before_pages(before)
        page.open(page_file.as_uri())
        page.wait_for("document.readyState === 'complete' && !!document.getElementById('status')")
        page.wait_for("document.querySelectorAll('#history tr').length >= 2")
        assert page.run("navigator.onLine") is False
        yield page
        page.run("document.getElementById('go').click()")
        page.wait_for("document.getElementById('status').textContent === 'stopped'")
        assert page.complaints == []
