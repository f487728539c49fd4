"""A search in the terminal: the best trials, and what they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kd_edge.report import words
from kd_edge.report.search_html import in_order, sentence, value
from kd_edge.report.search_tree import SearchReport
from kd_edge.report.table import SYNTHETIC, plain_table, plain_text

if TYPE_CHECKING:
    from rich.console import Console

_SHOWN = 12


def print_search(report: SearchReport, console: Console) -> None:
    """Print the verdict, the best trials and the best one's values."""
    from rich.text import Text

    console.print(Text(report.title, style="bold"))
    if report.synthetic:
        console.print(Text(SYNTHETIC, style="bold yellow"))
    console.print(Text(sentence(report)))
    console.print(Text(f"Scored: {report.student}, on {report.scored_on}.", style="dim"))
    console.print()
    table = plain_table(f"{report.measured}: validation")
    for heading in ("trial", "score", "int8, B"):
        table.add_column(heading, justify="right")
    for heading in ("state", "values"):
        table.add_column(heading, overflow="fold")
    for trial in in_order(report)[:_SHOWN]:
        values = ", ".join(f"{key} = {value(of)}" for key, of in trial.values.items())
        score = "–" if trial.score is None else words.percent(trial.score)
        size = "–" if trial.int8_bytes is None else words.count(trial.int8_bytes)
        front = ", not beaten" if trial.number in report.front else ""
        cells = (str(trial.number), score, size, trial.state + front, values)
        table.add_row(*map(plain_text, cells))
    console.print(table)
    if len(report.trials) > _SHOWN:
        console.print(Text(f"… and {len(report.trials) - _SHOWN} more", style="dim"))
