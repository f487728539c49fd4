"""Two reports compared: what counts as worse, and what is not compared."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from report_samples import HONEST, PRODUCT, full_report
from rich.console import Console

from kd_edge.base.errors import KdEdgeError
from kd_edge.report.baseline import compare, print_changes


@pytest.fixture(scope="module")
def report():
    return full_report(n_classes=5)


def altered(report, change, *, form: str = "int8", runtime: str = "litert"):
    """The report with one row of the product changed by `change(row)`."""
    rows = tuple(
        change(row) if (row.model, row.format, row.runtime) == (PRODUCT, form, runtime) else row
        for row in report.rows
    )
    assert rows != report.rows
    return replace(report, rows=rows)


def worse(old, new) -> list[tuple[str, str, str]]:
    return [(c.figure, c.format, c.runtime) for c in compare(old, new) if c.worse]


def test_a_report_is_not_worse_than_itself(report):
    changes = compare(report, report)
    assert changes
    assert not any(change.worse or change.not_compared for change in changes)


def test_one_byte_more_is_worse_and_one_less_is_not(report):
    def resized(by):
        return altered(
            report, lambda r: replace(r, size=replace(r.size, file_bytes=r.size.file_bytes + by))
        )

    assert worse(report, resized(1)) == [("file size", "int8", "litert")]
    assert worse(report, resized(-1)) == []


def test_one_byte_more_arena_is_worse_and_another_abi_is_not_compared(report):
    def with_arena(**change):
        return altered(
            report, lambda r: replace(r, arena=replace(r.arena, **change)), runtime="tflm"
        )

    assert worse(report, with_arena(used_bytes=22_673)) == [("arena", "int8", "tflm")]
    other = with_arena(used_bytes=99_999, abi="Cortex-M4F")
    assert worse(report, other) == []
    assert "another ABI" in [change.not_compared for change in compare(report, other)]


@pytest.mark.parametrize(("ratio", "is_worse"), [(1.0, False), (1.24, False), (1.26, True)])
def test_latency_may_grow_by_a_quarter_on_the_same_host(report, ratio, is_worse):
    def slower(row):
        timed = replace(row.latency, median_us=ratio * row.latency.median_us)
        return replace(row, latency=timed)

    found = worse(report, altered(report, slower)) if ratio != 1.0 else worse(report, report)
    assert found == ([("latency", "int8", "litert")] if is_worse else [])


@pytest.mark.parametrize(
    ("change", "reason"), [({"host": "other"}, "another host"), ({"threads": 4}, "threads")]
)
def test_latency_of_another_host_is_not_compared_and_said(report, change, reason):
    def moved(row):
        return replace(row, latency=replace(row.latency, median_us=1e9, **change))

    new = altered(report, moved)
    assert worse(report, new) == []
    console = Console(file=io.StringIO(), width=100)
    print_changes(compare(report, new), console)
    assert "not compared" in console.file.getvalue()
    assert reason in console.file.getvalue()


@pytest.mark.parametrize(("above_low", "is_worse"), [(0.001, False), (-0.001, True)])
def test_accuracy_is_worse_below_the_low_end_of_the_old_interval(report, above_low, is_worse):
    def weaker(row):
        old = row.accuracy[HONEST]
        new = replace(old, accuracy=old.interval.low + above_low)
        return replace(row, accuracy={**row.accuracy, HONEST: new})

    found = worse(report, altered(report, weaker))
    assert found == ([(f"accuracy on {HONEST}", "int8", "litert")] if is_worse else [])


def test_accuracy_on_other_windows_of_the_same_name_is_not_compared(report):
    def other(row):
        new = replace(row.accuracy[HONEST], accuracy=0.0, n_windows=7)
        return replace(row, accuracy={**row.accuracy, HONEST: new})

    assert worse(report, altered(report, other)) == []


def test_accuracy_on_synthetic_data_is_not_compared_with_real(report):
    reasons = {c.not_compared for c in compare(report, replace(report, synthetic=False))}
    assert "synthetic data on one side only" in reasons


def test_lower_agreement_of_runtimes_is_worse(report):
    first, *rest = report.parity
    lower = replace(report, parity=(replace(first, class_agreement=0.95), *rest))
    assert [c.figure for c in compare(report, lower) if c.worse] == ["class agreement"]


def test_flash_grows_by_its_sum_with_the_same_compiler(report):
    first, *rest = report.flash
    grown = replace(report, flash=(replace(first, bytes=first.bytes + 4), *rest))
    assert [c.figure.split(" ")[0] for c in compare(report, grown) if c.worse] == ["flash"]
    elsewhere = replace(report, flash=(replace(first, compiler="another", bytes=10**9),))
    changes = compare(report, elsewhere)
    assert changes
    assert not any(change.worse for change in changes)


def test_a_figure_that_one_report_lacks_is_listed_but_not_worse(report):
    fewer = altered(report, lambda row: replace(row, latency=None))
    gone = [c for c in compare(report, fewer) if c.not_compared]
    assert [(c.figure, c.new, c.not_compared) for c in gone] == [
        ("latency", None, "not measured now")
    ]
    came = [c for c in compare(fewer, report) if c.not_compared]
    assert [c.not_compared for c in came] == ["not in the baseline"]


def test_reports_with_nothing_in_common_are_an_error(report):
    empty = replace(report, rows=(), parity=(), flash=())
    with pytest.raises(KdEdgeError) as caught:
        compare(empty, report)
    assert caught.value.code == "KD_USAGE"


def test_the_worse_figures_stand_first_and_are_counted(report):
    new = altered(report, lambda r: replace(r, size=replace(r.size, file_bytes=10**6)))
    changes = compare(report, new)
    assert changes[0].worse
    console = Console(file=io.StringIO(), width=80)
    print_changes(changes, console)
    text = console.file.getvalue()
    assert "1 worse" in text
    assert "1,000,000 B" in text
    assert max(map(len, text.splitlines())) <= 80
