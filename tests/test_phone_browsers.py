"""The page's answers in every browser, from a file and without a network, with and without vectors.

Oracles: TFLite Micro's scores behind the host's front end, and the host's decision rule.
"""

from __future__ import annotations

import re

import pytest
from bundle_samples import PRODUCT, sample_bundle
from chromium import find_chromium, open_page
from firefox import find_firefox, open_firefox
from phone_samples import host_scores, need_clang
from project_samples import N_GOLDEN, sample_counts

from kd_edge.base.product import as_product
from kd_edge.cli import run

BROWSERS = {"chromium": (find_chromium, open_page), "firefox": (find_firefox, open_firefox)}
# A browser that cannot run the first of the page's modules, the one with vectors.
WITHOUT_VECTORS = """
const validate = WebAssembly.validate.bind(WebAssembly);
let asked = 0;
WebAssembly.validate = (bytes) => asked++ % 2 > 0 && validate(bytes);
"""
# What a browser may lack -> what the page says then.
LACKS = {"bluetooth": "no Web Bluetooth", "serial": "no Web Serial"}
ANSWERS = """(async () => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const engine = await kdEngine.open(data), test = engine.selfTest();
  const windows = kdEngine.bytesOf(data.raw.windows), size = engine.rawBytes, raw = [];
  for (let at = 0; at < windows.length; at += size)
    raw.push(Array.from(engine.runRaw(windows.subarray(at, at + size))));
  return { core: engine.core, n: test.n, wrong: test.wrong, raw };
})()"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A bundle of made-up weights, and its page."""
    need_clang()
    folder = tmp_path_factory.mktemp("phone")
    bundle = sample_bundle(folder / "bundle")
    assert run(["phone", str(bundle), "--out", str(folder / "out"), "--hop", "0.2"]) == 0
    return bundle, folder / "out" / "index.html"


@pytest.mark.parametrize("core", ["wasm-simd128", "wasm"])
@pytest.mark.parametrize("browser", BROWSERS)
def test_a_page_tests_itself_answers_raw_windows_and_shows_signs(written, browser, core, tmp_path):
    find, open_browser = BROWSERS[browser]
    find()
    bundle, page_file = written
    product = as_product(bundle / f"{PRODUCT}.int8.tflite")
    with open_browser(tmp_path) as page:
        page.look(390, 844)
        page.go_offline()
        if core == "wasm":
            page.before_pages(WITHOUT_VECTORS)
        page.open(page_file.as_uri())
        page.wait_for("document.readyState === 'complete' && !!document.getElementById('status')")
        page.wait_for("document.querySelectorAll('#history tr').length >= 2")
        assert page.run("navigator.onLine") is False
        said = page.text("test")
        assert said.startswith(f"✓ Self-test passed: {N_GOLDEN} of {N_GOLDEN} golden windows")
        assert said.endswith(f"({core})")
        assert page.text("status") == "live"
        assert page.text("sign") in set("abcde")
        assert page.resolved(ANSWERS) == {
            "core": core,
            "n": N_GOLDEN,
            "wrong": [],
            "raw": [host_scores(product, counts).tolist() for counts in sample_counts()],
        }
        assert re.fullmatch(
            r"(under 1|[1-9]\d*|0\.\d+|[1-9]\d*\.\d+) (µs|ms)", page.text("latency")
        )
        for name, said in LACKS.items():
            assert (said in page.text("absent")) == page.run(f"!('{name}' in navigator)")
        assert browser == "chromium" or not page.run("'bluetooth' in navigator")
        page.run("document.getElementById('go').click()")
        page.wait_for("document.getElementById('status').textContent === 'stopped'")
        assert page.complaints == []
