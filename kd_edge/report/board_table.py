"""What a board answered, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from firmware_export.aot.cores import HOST
from kd_edge.report import words
from kd_edge.report.board_tree import BoardSection, Spread
from kd_edge.report.table import plain_table, plain_text

if TYPE_CHECKING:
    from rich.console import Console

_MOST_LISTED = 10


def print_board(section: BoardSection, console: Console) -> None:
    """Print who answered, how often as the host, and at what cost; unknown figures are '–'."""
    from rich.text import Text

    console.print(Text(heading(section), style="bold"))
    console.print(Text(sentence(section)))
    for note in section.notes:
        console.print(Text(f"note: {note}", style="dim"))
    table = plain_table("")
    table.add_column("", overflow="fold")
    table.add_column("", overflow="fold")
    for name, value in facts(section):
        table.add_row(plain_text(name), plain_text(value))
    table.show_header = False
    console.print(table)
    listed = section.disagreements[:_MOST_LISTED]
    for d in listed:
        console.print(
            Text(
                f"differs from {words.runtime_name(d.runtime)}: {d.part}, window {d.window} "
                f"({d.label}, {d.recording}): board {d.board_class}, host {d.host_class}, "
                f"{words.steps(d.largest_step)}"
            )
        )
    if len(section.disagreements) > len(listed):
        more = len(section.disagreements) - len(listed)
        console.print(Text(f"… and {more} more: --json lists every one", style="dim"))


def heading(section: BoardSection) -> str:
    """Board, core and engine; an emulated board is called so."""
    kind = ", emulated" if section.emulated else ""
    return f"{section.board} ({section.core}{kind}), engine {section.engine}"


def sentence(section: BoardSection) -> str:
    """How far it got and how often it answered as the host."""
    got = f"{section.n_answered:,} of {section.n_asked:,} {section.windows} windows answered"
    if section.ended:
        got += f" ({section.ended})"
    told = [
        f"{a.same_scores:,} of {a.n_windows:,} bit for bit as {words.runtime_name(a.runtime)}"
        for a in section.agreement
    ]
    return f"{got}; {', '.join(told)}." if told else f"{got}."


def facts(section: BoardSection) -> Sequence[tuple[str, str]]:
    """Name and value of every figure, in the order of interest."""
    rows = [
        (f"{figure.called}, {name}", words.accuracy(figure))
        for name, figure in section.accuracy.items()
    ]
    rows += [
        (
            f"same class as {words.runtime_name(a.runtime)}",
            f"{a.same_class:,} of {a.n_windows:,}; most {words.steps(a.largest_step)}",
        )
        for a in section.agreement
    ]
    if section.answered:
        rows.append(("windows that each model answered", words.answered(section.answered)))
        rows += _expected(section)
    if section.decisions:
        d = section.decisions
        told = f"{d.same:,} of {d.n_windows:,}; {words.plural(d.onsets, 'onset')}"
        rows.append(("decisions as Python's", f"{told}, {d.rejected:,} windows rejected"))
    rows.append(("inference", _spread(section.inference)))
    if section.front_end:
        rows.append(("filters and quantisation", _spread(section.front_end)))
    clock = f"at {section.clock_hz / 1e6:g} MHz"
    not_a_boards = "a process of this machine" if section.core == HOST.name else "emulated time"
    whole = not_a_boards if section.emulated else clock
    rows.append(("both, by the board's clock", f"{_spread(section.whole_us)} ({whole})"))
    if section.repeats > 1:
        rows.append(("windows whose repetitions differ", words.count(section.unsteady)))
    if section.golden_passed is not None:
        rows.append(("self-test", f"{section.golden_passed} of {section.golden_count} passed"))
    rows += _memory(section) + _links(section)
    return rows


def _expected(section: BoardSection) -> list[tuple[str, str]]:
    """What a window takes on average, and by the model that answered."""
    if section.inference is None or not section.answered_ticks:
        return []
    unit, counts, ticks = section.inference.unit, section.answered, section.answered_ticks
    total = sum(counts[model] * each for model, each in ticks.items())
    mean = total / sum(counts[model] for model in ticks)
    told = ", ".join(f"{each:,.0f} if {model} answers" for model, each in ticks.items())
    return [("inference, expected a window", f"{mean:,.0f} {unit}: {told}")]


def _spread(figure: Spread | None) -> str:
    if figure is None:
        return words.NOT_MEASURED
    return (
        f"median {figure.median:,.0f} {figure.unit}, 95th percentile {figure.p95:,.0f}, "
        f"most {figure.largest:,.0f}"
    )


def _memory(section: BoardSection) -> list[tuple[str, str]]:
    memory = section.memory
    if memory is None:
        return []
    stack = words.n_bytes(memory.stack_used)
    if memory.stack_size is not None:
        stack += f" of {words.n_bytes(memory.stack_size)}"
    return [
        ("stack used at most", stack),
        ("static memory", words.n_bytes(memory.static_bytes)),
        ("engine's arena", words.n_bytes(memory.arena_bytes)),
    ]


def _links(section: BoardSection) -> list[tuple[str, str]]:
    answered = sum(link.answered for link in section.links)
    rows = []
    if section.seconds > 0:
        rows.append(("throughput", f"{answered / section.seconds:,.1f} windows/s"))
    for link in section.links:
        c = link.counters
        damaged = c["dropped_cobs"] + c["dropped_crc"] + c["dropped_length"]
        rows.append(
            (
                f"link {link.port}",
                f"{link.answered:,} windows; {damaged} frames damaged, {c['retries']} asked again, "
                f"{c['gaps']} lost on the way there, {c['restarts']} restarts",
            )
        )
        rows.append((f"bytes overrun on {link.port}", words.count(link.overruns)))
    return rows
