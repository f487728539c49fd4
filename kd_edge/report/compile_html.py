"""What a compilation found as one HTML file that needs no network."""

from __future__ import annotations

from firmware_export.aot.bounds import slowest_first
from kd_edge.report import compile_plots, compile_words, words
from kd_edge.report.compile_report import CompileReport
from kd_edge.report.cost_table import cost_cells
from kd_edge.report.html import page_template


def render_compile_html(report: CompileReport) -> str:
    """The whole page; the same report gives the same bytes with the same Matplotlib."""
    return page_template("compile.html.j2").render(
        report=report,
        memory_map=compile_plots.memory_map(report),
        constants=compile_plots.constants(report),
        operations=compile_plots.operations(report),
        costs=slowest_first(report.costs),
        cost_cells=cost_cells,
        words=words,
        said=compile_words,
    )
