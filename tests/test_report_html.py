"""The one-file page: self-contained, escaped, the same bytes twice, honest about what is absent."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_samples import HONEST, LEAK, full_report

from kd_edge.report.html import confusions, render_html
from kd_edge.report.svg import SERIES

ROOT = Path(__file__).resolve().parents[1]
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>$a$ _नमस्ते & '"


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text outside style and script."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.silent = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.silent = tag in ("style", "script")

    def handle_endtag(self, tag):
        self.silent = False

    def handle_data(self, data):
        if not self.silent:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def report():
    return full_report(n_classes=12)


@pytest.fixture(scope="module")
def page(report):
    return render_html(report)


@pytest.fixture(scope="module")
def hostile_page():
    return render_html(full_report(n_classes=5, hostile=HOSTILE))


def test_the_same_report_gives_the_same_bytes_twice(report, page):
    assert render_html(report) == page


def test_another_process_with_another_hash_seed_gives_the_same_bytes(page):
    code = (
        "import sys; sys.path.insert(0, 'tests'); from report_samples import full_report;"
        "from kd_edge.report.html import render_html;"
        "sys.stdout.buffer.write(render_html(full_report(n_classes=12)).encode())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    assert done.stdout.decode() == page


def test_nothing_is_fetched_from_anywhere(page):
    """Oracle: every attribute that can fetch, found by the standard library's parser."""
    elements = Elements(page)
    assert {"html", "svg", "a"} <= {tag for tag, _ in elements.tags}
    for tag, attributes in elements.tags:
        assert tag not in ("link", "iframe", "object", "embed", "image", "base")
        if "src" in attributes:
            assert tag == "img"
            assert re.fullmatch(r"data:image/png;base64,[A-Za-z0-9+/=]+", attributes["src"])
        assert attributes.get("href", "#").startswith("#"), (tag, attributes)
    assert not re.search(r"https?:|@import|url\((?!#)", page)


def test_every_id_is_unique_and_every_reference_is_there(page):
    tags = Elements(page).tags
    ids = [a["id"] for _, a in tags if "id" in a]
    assert len(ids) == len(set(ids))
    wanted = [a["href"][1:] for _, a in tags if "href" in a]
    wanted += [w for _, a in tags for w in (a.get("aria-labelledby") or "").split()]
    wanted += re.findall(r"url\(#([^)]+)\)", page)
    assert wanted
    assert set(wanted) <= set(ids)


def test_hostile_text_stays_text_everywhere(hostile_page):
    """The sample puts it into titles, labels, paths, leaks, notes, tensors and the command."""
    elements = Elements(hostile_page)
    assert [tag for tag, _ in elements.tags].count("script") == 1  # the page's own
    pictures = [a for tag, a in elements.tags if tag == "img"]
    assert all(a["src"].startswith("data:image/png;base64,") for a in pictures)
    assert not [a for _, a in elements.tags if any(name.startswith("on") for name in a)]
    assert elements.text.count("<script>alert(1)</script>") > 10


def test_labels_in_any_script_and_with_dollar_signs_are_drawn_as_they_are(hostile_page):
    assert "$a$ _नमस्ते &amp;" in hostile_page


def test_every_picture_has_a_name_and_a_description(page):
    elements = Elements(page)
    pictures = [a for tag, a in elements.tags if tag == "svg"]
    assert len(pictures) >= 10
    assert all(a["role"] == "img" and a["aria-labelledby"] for a in pictures)
    assert page.count("<desc ") == len(pictures)


def test_colours_come_from_the_page_so_that_both_looks_work(page):
    drawn = page[page.index("<svg") :]
    assert not [sentinel for sentinel in SERIES if sentinel in drawn]
    assert not re.search(r"(fill|stroke): #", drawn)
    assert "prefers-color-scheme: dark" in page
    assert '[data-theme="dark"]' in page


def test_the_verdict_has_size_accuracy_interval_parity_and_latency(page):
    text = Elements(page).text
    verdict = text[text.index("tcn-student as int8") :][:400]
    for part in ("31,480 B", HONEST, "95 % interval", "same class", "median", "µs"):
        assert part in verdict


def test_a_leak_stands_beside_the_part_and_in_the_models_heading(page):
    text = Elements(page).text
    assert text.count(f"(leaky: {LEAK})") >= 3


def test_synthetic_data_is_said_at_the_top_and_only_then(report, page):
    assert 0 < page.index("Synthetic data.") < page.index('class="verdict"')
    assert "Synthetic data." not in render_html(replace(report, synthetic=False))


def test_every_section_is_there(page):
    text = Elements(page).text
    for heading in (
        "Accuracy against bytes", "Confusion matrix", "Most frequent confusions", "Per subject",
        "Cross-validation", "Latency on this host", "Arena by section", "Flash by section",
        "Layers of", "Class balance", "Sample windows", "What these numbers are",
    ):  # fmt: skip
        assert heading in text
    for fact in ("Invented CPU", "tensorflow 2.21.0", "kd-edge build", "0123456789abcdef"):
        assert fact in text
    assert "not measured:" not in text


def test_a_report_with_nothing_measured_says_so_and_shows_no_zero(report):
    bare = replace(
        report, parts=(), rows=(), parity=(), curves=(), findings=(), flash=(), samples=(),
        folds=(), decisions=None, selection=None,
    )  # fmt: skip
    page = render_html(bare)
    text = Elements(page).text
    for section in (
        "Models", "Accuracy against bytes", "Confusion matrix", "Latency", "Arena", "Parity",
        "Flash by section", "Parts of the data", "Sample windows", "Training curves",
        "Accuracy of each subject",
    ):  # fmt: skip
        assert f"{section}: not measured." in text
    assert "<svg" not in page
    assert not re.search(r"\b0(\.0)? (B|µs|%)", text)
    assert "None" not in text
    assert "nan" not in text.split()


@pytest.mark.parametrize(
    ("absent", "sentence"),
    [
        ({"curves": ()}, "Training curves: not measured."),
        ({"flash": ()}, "Flash by section: not measured."),
        ({"samples": ()}, "Sample windows: not measured."),
        ({"parity": ()}, "Parity: not measured."),
        ({"findings": ()}, "Lints and gates found nothing."),
    ],
)
def test_one_absent_section_leaves_the_others(report, absent, sentence):
    text = Elements(render_html(replace(report, **absent))).text
    assert sentence in text
    assert "Confusion matrix" in text
    assert "Provenance" in text


def test_unknown_values_leave_gaps_in_the_curves_and_not_zeros(report):
    curve = replace(report.curves[0], loss=(2.0,), accuracy=(0.5,), seconds=(1.0,),
                    validation_loss=(None,), validation_accuracy=(None,))  # fmt: skip
    text = Elements(render_html(replace(report, curves=(curve,)))).text
    assert "1 epoch; training loss 2 at the end; 1 s in all." in text


def test_confusions_are_the_matrix_cells_off_its_diagonal(report):
    """Oracle: the matrix itself, sorted by hand."""
    accuracy = report.rows[0].accuracy[HONEST]
    found = confusions(accuracy)
    cells = sorted(
        (n for i, row in enumerate(accuracy.confusion) for j, n in enumerate(row) if n and i != j),
        reverse=True,
    )
    assert cells
    assert [c.n for c in found] == cells[:12]
    names = accuracy.class_names
    for c in found:
        assert accuracy.confusion[names.index(c.true)][names.index(c.predicted)] == c.n


def test_fifty_classes_are_all_named_beside_the_matrix():
    report = full_report(n_classes=50)
    page = render_html(report)
    start = page.index('aria-labelledby="confusion-title')
    matrix = page[start : page.index("</svg>", start)]
    names = report.rows[0].accuracy[HONEST].class_names
    assert len(names) == 50
    for name in names:
        assert matrix.count(f">{name}</text>") == 2
