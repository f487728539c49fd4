"""The page's answers in every browser, from a file and without a network, with and without vectors.

Oracles: TFLite Micro's scores, of raw windows behind the host's front end.
"""

from __future__ import annotations

import re

import pytest
from bundle_samples import PRODUCT
from phone_browsers import ANSWERS, BROWSERS, WITHOUT_VECTORS, opened
from phone_samples import host_scores, sample_page
from project_samples import N_GOLDEN, sample_counts

from kd_edge.base.product import as_product

# What a browser may lack -> what the page says then.
LACKS = {"bluetooth": "no Web Bluetooth", "serial": "no Web Serial"}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A bundle of made-up weights, and its page."""
    return sample_page(tmp_path_factory.mktemp("phone"))


@pytest.mark.parametrize("core", ["wasm-simd128", "wasm"])
@pytest.mark.parametrize("browser", BROWSERS)
def test_a_page_tests_itself_answers_raw_windows_and_shows_signs(written, browser, core, tmp_path):
    bundle, page_file = written
    product = as_product(bundle / f"{PRODUCT}.int8.tflite")
    before = WITHOUT_VECTORS if core == "wasm" else ""
    with opened(browser, page_file, tmp_path, before=before) as page:
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
