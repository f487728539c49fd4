"""What stands first in a report, and figures as people read them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_samples import HONEST, LEAK, LEAKY, PRODUCT, full_report

from kd_edge.report import words
from kd_edge.report.choose import headline, parts_in_order, rows_in_order


@pytest.fixture(scope="module")
def report():
    return full_report(n_classes=5)


def test_the_honest_part_stands_before_a_leaky_one_whatever_the_order(report):
    """The sample names the leaky part first."""
    assert [part.name for part in parts_in_order(report)] == [HONEST, LEAKY]
    assert parts_in_order(report)[1].heading == f"{LEAKY} (leaky: {LEAK})"


def test_another_session_of_the_same_subject_is_said_but_is_not_named_leaky(report):
    """Words as `kd_edge.splits.describe_leak` gives them; what is leaky is a fact, not a word."""
    later = replace(report.parts[-1], leak="the same subject on both sides, another session")
    random = replace(later, name="R", leak="random split, same subjects", leaky=True)
    copied = replace(later, name="C", leak="3 recordings lie on both sides", leaky=True)
    parts = parts_in_order(replace(report, parts=(random, copied, later), rows=()))
    assert [part.heading for part in parts] == [
        f"{HONEST} (the same subject on both sides, another session)",
        "R (leaky: random split, same subjects)",
        "C (leaky: 3 recordings lie on both sides)",
    ]
    assert [part.leaky for part in parts] == [False, True, True]


def test_a_part_that_only_rows_name_is_not_lost(report):
    row = replace(report.rows[0], accuracy={"other day": report.rows[0].accuracy[HONEST]})
    parts = parts_in_order(replace(report, parts=(), rows=(row,)))
    assert [part.heading for part in parts] == ["other day"]


def test_the_product_int8_stands_first_and_baselines_last(report):
    rows = rows_in_order(report)
    assert (rows[0].model, rows[0].format) == (PRODUCT, "int8")
    assert [row.role for row in rows][-2:] == ["baseline", "baseline"]
    assert sorted(map(repr, rows)) == sorted(map(repr, report.rows))


def test_the_headline_takes_each_figure_from_the_product_int8(report):
    found = headline(report)
    rows = [row for row in report.rows if (row.model, row.format) == (PRODUCT, "int8")]
    assert found.form == "int8"
    assert found.accuracy == rows[0].accuracy[HONEST]
    assert found.latency.median_us == min(row.latency.median_us for row in rows)
    assert found.arena == next(row.arena for row in rows if row.arena)
    assert found.parity.kind == "runtimes"


def test_another_model_parity_is_not_the_product(report):
    other = replace(report.parity[0], model="seed-single-student", class_agreement=0.2)
    assert headline(replace(report, parity=(other,))).parity is None
    assert headline(replace(report, parity=(replace(other, model=""),))).parity is not None


def test_a_report_without_figures_says_not_measured_for_each(report):
    sentence = headline(replace(report, rows=(), parity=(), parts=())).sentence()
    assert sentence.count("not measured") == 4
    assert " 0" not in sentence


def test_a_leaky_headline_names_its_leak(report):
    leaky_only = tuple(
        replace(row, accuracy={k: v for k, v in row.accuracy.items() if k == LEAKY})
        for row in report.rows
    )
    assert LEAK in headline(replace(report, rows=leaky_only)).sentence()


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [(0.631, "63.1 %"), (1.0, "100.0 %"), (0.9999, "99.99 %"), (0.9999999, "> 99.99 %"),
     (0.0, "0.0 %")],
)  # fmt: skip
def test_only_one_reads_as_a_hundred_percent(fraction, shown):
    assert words.percent(fraction) == shown


def test_figures_have_units_and_the_unknown_has_words():
    assert words.n_bytes(45440) == "45,440 B"
    assert words.kilobytes(45440) == "45.4 kB"
    assert words.microseconds(24.94) == "24.9 µs"
    assert words.microseconds(1234.4) == "1,234 µs"
    assert words.microseconds(3.14159) == "3.14 µs"
    assert words.steps(1) == "1 step of the output"
    for unknown in (words.n_bytes, words.kilobytes, words.microseconds, words.count):
        assert unknown(None) == "not measured"
