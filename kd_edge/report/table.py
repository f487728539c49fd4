"""The report in the terminal: the same figures as the page, readable at 80 columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kd_edge.report import words
from kd_edge.report.ablation import ablation_table
from kd_edge.report.choose import (
    ShownPart,
    headline,
    measure,
    measure_title,
    parts_in_order,
    rows_in_order,
)
from kd_edge.report.decision_table import decision_lines
from kd_edge.report.selection_table import selection_lines
from kd_edge.report.tree import Finding, Report, Row

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

SYNTHETIC = (
    "SYNTHETIC DATA: recordings were made by a generator. These figures show that the "
    "chain works; they say nothing about people."
)
_ROW_COLUMNS = 42  # what model, format and runtime take of a table's width
_PART_COLUMNS = 22  # an accuracy with its interval


def print_table(report: Report, console: Console) -> None:
    """Print verdict, accuracy, cost, parity, limits and findings.

    The honest part stands first; a leak is named in the heading of its figures. Figures that
    were not measured are '–'.
    """
    from rich.text import Text

    console.print(Text(report.title, style="bold"))
    if report.synthetic:
        console.print(Text(SYNTHETIC, style="bold yellow"))
    console.print(Text(headline(report).sentence()))
    for caveat in report.caveats:
        console.print(Text(f"note: {caveat}", style="dim"))
    for table in (*_accuracy_tables(report, console.width), *_fold_tables(report)):
        console.print()
        console.print(table)
    for line in (*answered_lines(report), *lineage_lines(report), *note_lines(report)):
        console.print(Text(line, style="dim"))
    for line in (*decision_lines(report.decisions), *selection_lines(report.selection)):
        console.print(Text(line))
    console.print()
    console.print(_cost_table(report))
    console.print(Text("– not measured", style="dim"))
    console.print()
    console.print(_parity_table(report) if report.parity else Text("Parity: not measured"))
    console.print()
    if report.gates:
        console.print(_gate_table(report))
        console.print()
    if report.ablation:
        console.print(ablation_table(report.ablation))
        console.print()
    _print_findings(report.findings, console)


def _accuracy_tables(report: Report, width: int) -> Iterable[Table]:
    """As many parts side by side as the width takes; the others in tables below."""
    parts = parts_in_order(report)
    rows = [row for row in rows_in_order(report) if row.accuracy]
    per_table = max(1, (width - _ROW_COLUMNS) // _PART_COLUMNS)
    for start in range(0, len(parts), per_table):
        yield _accuracy_table(rows, parts[start : start + per_table], measure_title(report))


def _accuracy_table(rows: list[Row], parts: tuple[ShownPart, ...], title: str) -> Table:
    levels = {100 * row.accuracy[p.name].interval.level for row in rows for p in parts
              if p.name in row.accuracy}  # fmt: skip
    level = " and ".join(f"{level:g}" for level in sorted(levels))
    table = plain_table(f"{title} [{level} % interval]")
    for heading in ("model (role)", "format", "runtime"):
        table.add_column(heading, overflow="fold")
    for part in parts:
        table.add_column(
            plain_text(part.heading), justify="right", overflow="fold", min_width=_PART_COLUMNS - 2,
            header_style="bold yellow" if part.leaky else "bold",
        )  # fmt: skip
    for row in rows:
        figures = [row.accuracy.get(part.name) for part in parts]
        if not any(figures):
            continue
        cells = [words.accuracy(f) if f else "–" for f in figures]
        who = f"{row.model} ({row.role})"
        table.add_row(*map(plain_text, (who, row.format, row.runtime, *cells)))
    return table


def answered_lines(report: Report) -> Iterable[str]:
    """Which of a composition's models answered, part by part."""
    for row in rows_in_order(report):
        for part, counts in row.answered.items():
            yield (
                f"{row.model} {row.format}, {words.runtime_name(row.runtime)}, windows of {part} "
                f"answered by {words.answered(counts)}"
            )


def note_lines(report: Report) -> Iterable[str]:
    """What must stand beside the figures of a file on a runtime."""
    for row in rows_in_order(report):
        for note in row.notes:
            yield f"{row.model} {row.format}, {words.runtime_name(row.runtime)}: {note}"


def lineage_lines(report: Report) -> tuple[str, ...]:
    """Who learnt from whom, a sentence a model; nothing where all had the labels alone."""
    taught = any(each.teachers or each.origin for each in report.learnt)
    return tuple(map(words.learnt, report.learnt)) if taught else ()


def _fold_tables(report: Report) -> Iterable[Table]:
    if not report.folds:
        return
    table = plain_table(f"Folds, float student: {measure_title(report)}")
    table.add_column("fold", overflow="fold")
    table.add_column("model", overflow="fold")
    table.add_column(f"{measure(report).called} [interval]", justify="right")
    table.add_column(report.examples, justify="right")
    for fold in report.folds:
        cells = (words.accuracy(fold.accuracy), words.count(fold.accuracy.n_windows))
        table.add_row(*map(plain_text, (fold.fold, fold.model, *cells)))
    yield table


def _cost_table(report: Report) -> Table:
    table = plain_table("Size, time on this host, and memory")
    for heading in ("model", "format", "runtime"):
        table.add_column(heading, overflow="fold")
    for heading in ("file, B", "median µs", "p95 µs", "arena, B"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows_in_order(report):
        if not (row.size or row.latency or row.arena):
            continue
        figures = (
            words.count(row.size.file_bytes) if row.size else "–",
            words.number_us(row.latency.median_us) if row.latency else "–",
            words.number_us(row.latency.p95_us) if row.latency else "–",
            words.count(row.arena.used_bytes) if row.arena else "–",
        )
        table.add_row(*map(plain_text, (row.model, row.format, row.runtime, *figures)))
    abis = sorted({row.arena.abi for row in report.rows if row.arena})
    caption = "Times are this host's, not a microcontroller's."
    if abis:
        caption += f" Arena as used on {', '.join(abis)}."
    table.caption = plain_text(caption)
    table.caption_justify = "left"
    return table


def _parity_table(report: Report) -> Table:
    table = plain_table(f"Parity: the same {report.examples} on two sides")
    table.add_column("sides", overflow="fold")
    table.add_column(report.examples, justify="right")
    table.add_column("same class", justify="right")
    table.add_column("largest difference", overflow="fold")
    for parity in report.parity:
        sides = f"{words.side(parity.left)} / {words.side(parity.right)}"
        if parity.model:
            sides = f"{parity.model}: {sides}"
        difference = words.steps(parity.max_steps)
        first = parity.first_difference
        if first is not None:
            difference += f"; first differs: {first.index} {first.operator}"
        cells = (sides, words.count(parity.n_windows), words.percent(parity.class_agreement))
        table.add_row(*map(plain_text, (*cells, difference)))
    return table


def _gate_table(report: Report) -> Table:
    table = plain_table("Limits")
    for heading in ("model", "gate", "measured [95 % interval]", "limit", "verdict"):
        table.add_column(heading, overflow="fold")
    for gate in report.gates:
        cells = (gate.model, words.gate(gate), words.measured(gate), words.limit(gate))
        style = {"failed": "bold red", "unsure": "yellow"}.get(gate.verdict, "")
        verdict = plain_text(gate.verdict)
        verdict.stylize(style)
        table.add_row(*map(plain_text, cells), verdict)
    return table


def _print_findings(findings: tuple[Finding, ...], console: Console) -> None:
    from rich.text import Text

    if not findings:
        console.print(Text("Findings: none"))
    styles = {"error": "bold red", "warning": "yellow"}
    for finding in findings:
        console.print(
            Text(f"{finding.severity} {finding.code}", style=styles.get(finding.severity, "dim")),
            Text(finding.message),
        )
        if finding.where:
            console.print(Text(f"  where: {finding.where}"))
        if finding.hint:
            console.print(Text(f"  hint:  {finding.hint}"))


def plain_table(title: str) -> Table:
    """An empty table in the look of all tables."""
    from rich import box
    from rich.table import Table

    return Table(
        title=plain_text(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD,
        padding=(0, 1), collapse_padding=True, pad_edge=False, show_edge=False,
    )  # fmt: skip


def plain_text(text: str):
    """Names come from users' files: square brackets in them are not markup."""
    from rich.text import Text

    return Text(text)
