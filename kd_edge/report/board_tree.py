"""What a board answered: one section of the report, as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field

from kd_edge.tasks.figures import Figure


@dataclass(frozen=True)
class Spread:
    """A distribution over windows.

    Attributes:
        unit: 'instructions', 'cycles' or 'µs'.
        histogram: (edge_low, edge_high, count) a bin.
    """

    unit: str
    n: int
    smallest: float
    p5: float
    median: float
    p95: float
    p99: float
    largest: float
    histogram: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True)
class Agreement:
    """A board's answers beside those of a runtime on this host, window by window.

    Attributes:
        runtime: a key of `RUNTIMES`.
        same_scores: windows with every score the same, bit for bit.
        same_class: windows with the same largest score's class.
        largest_step: largest difference of one score, in steps of its scale.
    """

    runtime: str
    n_windows: int
    same_scores: int
    same_class: int
    largest_step: int


@dataclass(frozen=True)
class Disagreement:
    """A window that the host decides otherwise; with TFLite Micro, one that it scores otherwise.

    Attributes:
        part, window: the part of the data and the window's number in it.
        largest_step: of its scores, in steps.
        same_class: whether the decision is the same all the same.
    """

    runtime: str
    part: str
    window: int
    recording: str
    label: str
    board_class: str
    host_class: str
    largest_step: int
    same_class: bool


@dataclass(frozen=True)
class BoardMemory:
    """Bytes as the board reports them; None where it cannot tell."""

    stack_used: int | None
    stack_size: int | None
    static_bytes: int | None
    arena_bytes: int | None


@dataclass(frozen=True)
class DecisionsAlike:
    """A board's decisions beside Python's on the board's own scores.

    Attributes:
        n_windows: compared. same: alike in all that a decision says.
        onsets, rejected: windows with which a class began to be said; that were not sure enough.
    """

    n_windows: int
    same: int
    onsets: int
    rejected: int


@dataclass(frozen=True)
class LinkCounts:
    """One board's share of the work and what its link lost.

    Attributes:
        port: as it was opened.
        answered: windows that this board answered, repetitions included.
        counters: names as in `kd_edge.link.statistics.Statistics`.
        overruns: bytes that the board lost because its receive buffer was full; None where it
            cannot tell, or was not asked.
    """

    port: str
    answered: int
    counters: dict[str, int]
    overruns: int | None = None


@dataclass(frozen=True)
class BoardSection:
    """One evaluation on one kind of board.

    Attributes:
        emulated: no real hardware; its ticks are instructions, not cycles.
        windows: 'int8' or 'raw'.
        n_asked, n_answered: windows, without repetitions.
        repeats: how often each window was sent; `unsteady` counts windows whose answers differed
            from repetition to repetition.
        ended: '' where all was done, else why it ended early.
        accuracy: part name -> figure, over the windows that were answered.
        inference, front_end: ticks of the engine, and of filters and quantisation (raw windows).
        whole_us: both together by the board's clock.
        seconds: from the first request to the last answer, on this host.
        golden_passed, golden_count: the self-test, of several boards the worst one's.
        answered: of a composition: model -> windows that it answered; empty where all answer.
        answered_ticks: model -> mean ticks of the engine over the windows that it answered, in the
            unit of `inference`; the models that were asked before it are in them.
        decisions: of a board that decides, else None.
    """

    board: str
    core: str
    engine: str
    firmware: str
    clock_hz: int
    emulated: bool
    model_sha256: str
    windows: str
    n_asked: int
    n_answered: int
    repeats: int
    unsteady: int
    ended: str
    accuracy: dict[str, Figure]
    agreement: tuple[Agreement, ...]
    disagreements: tuple[Disagreement, ...]
    inference: Spread | None
    front_end: Spread | None
    whole_us: Spread | None
    memory: BoardMemory | None
    links: tuple[LinkCounts, ...]
    seconds: float
    golden_passed: int | None
    golden_count: int
    notes: tuple[str, ...] = ()
    answered: dict[str, int] = field(default_factory=dict)
    answered_ticks: dict[str, float] = field(default_factory=dict)
    decisions: DecisionsAlike | None = None
