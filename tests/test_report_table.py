"""The terminal table: every figure, at 80 columns."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from report_samples import HONEST, LEAKY, PRODUCT, full_report
from rich.console import Console

from kd_edge.report import words
from kd_edge.report.table import print_table


@pytest.fixture(scope="module")
def report():
    return full_report(n_classes=5)


def printed(report, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_table(report, console)
    return console.file.getvalue()


def test_no_line_is_wider_than_80_columns(report):
    assert max(map(len, printed(report).splitlines())) <= 80


def test_every_figure_of_every_row_is_in_the_table_at_80_columns(report):
    """Oracle: the tree's figures, formatted one by one."""
    text = printed(report)
    for figure in ("accuracy", "size", "latency", "arena"):
        assert any(getattr(row, figure) for row in report.rows), figure
    for row in report.rows:
        for accuracy in row.accuracy.values():
            assert words.accuracy(accuracy) in text
        if row.size:
            assert words.count(row.size.file_bytes) in text
        if row.latency:
            assert words.number_us(row.latency.median_us) in text
            assert words.number_us(row.latency.p95_us) in text
        if row.arena:
            assert words.count(row.arena.used_bytes) in text
    for unit in ("file, B", "median µs", "p95 µs", "arena, B", "% of windows"):
        assert unit in text


def test_the_honest_part_comes_first_and_a_leak_is_named_in_the_heading(report):
    lines = printed(report, width=200).splitlines()
    heading = next(line for line in lines if line.lstrip().startswith("model (role)"))
    text = printed(report, width=200)
    assert "(leaky: same subjects" in text
    assert text.index(HONEST, text.index("Right answers")) < text.index(f"{LEAKY} (leaky")
    assert "runtime" in heading


def test_synthetic_data_is_said_before_any_figure(report):
    text = printed(report)
    assert text.index("SYNTHETIC") < text.index("%")
    assert "SYNTHETIC" not in printed(replace(report, synthetic=False))


def test_parity_and_findings_are_shown_with_where_and_hint(report):
    text = printed(report)
    assert "99.6 %" in text
    assert "2 CONV_2D" in text
    assert report.findings
    for finding in report.findings:
        assert finding.code in text
        assert f"hint:  {finding.hint}" in text


def test_who_learnt_from_whom_is_told_where_anybody_was_taught(report):
    """Oracle: the report's own records; a report of models that had the labels alone is silent."""
    text = " ".join(printed(report, width=200).split())
    assert "theirs came as theirs.onnx, SHA-256 abab" in text
    assert "teacher learnt from the labels alone" in text
    told = "learnt from teacher and theirs (mean-logits), without deaf, which made the others"
    assert f"{PRODUCT} {told}" in text
    assert "learnt from" not in printed(replace(report, learnt=report.learnt[1:2]))


def test_what_must_stand_beside_figures_is_said(report):
    """Oracle: the rows' own notes."""
    text = " ".join(printed(report, width=200).split())
    noted = [row for row in report.rows if row.notes]
    assert noted
    for row in noted:
        assert f"{row.model} {row.format}, TFLite Micro: {row.notes[0]}" in text


def test_what_is_absent_is_said_and_is_never_zero(report):
    absent = {"decisions": None, "selection": None}
    bare = replace(report, rows=(), parity=(), findings=(), folds=(), parts=(), **absent)
    text = printed(bare)
    assert "Parity: not measured" in text
    assert "Findings: none" in text
    assert "0 %" not in text


def test_square_brackets_in_names_are_text_and_not_markup(report):
    row = replace(report.rows[0], model="[red]net[/red]")
    text = printed(replace(report, rows=(row,), product="[red]net[/red]", title="[b]t[/b]"))
    assert "[red]net[/red]" in text
    assert "[b]t[/b]" in text


def test_the_product_is_named_in_the_first_lines(report):
    assert any(PRODUCT in line for line in printed(report).splitlines()[:5])
