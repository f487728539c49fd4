"""`eval`: windows to boards, their answers beside the host's."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from firmware_export.front_end import model_front_end
from firmware_export.raw_window import quantised_window
from kd_edge.convert.quantisation import dequantize
from kd_edge.errors import KdEdgeError
from kd_edge.link.messages import Hello, Memory
from kd_edge.measure.accuracy import measure_accuracy
from kd_edge.pipeline.boards.bundle_image import BoardBundle
from kd_edge.pipeline.boards.compare import agreement, disagreements, spread
from kd_edge.pipeline.boards.targets import Target
from kd_edge.pipeline.boards.work import Done, Job, share_out
from kd_edge.pipeline.bundle import PARITY_PART, WINDOWS_FILE, load_windows
from kd_edge.report.board_tree import Agreement, BoardMemory, BoardSection, Disagreement, LinkCounts
from kd_edge.runtimes.registry import available, open_session
from kd_edge.runtimes.session import Session, model_inputs, one_window
from kd_edge.windows import WindowSet

RUNTIMES = ("tflm", "litert")
GOLDEN_PART = "golden windows"
_UNKNOWN = 0xFFFFFFFF  # KD_BOARD_UNKNOWN on the wire


@dataclass(frozen=True)
class EvalSettings:
    """What is asked of the boards.

    Attributes:
        windows: 'int8', or 'raw': the board filters, decimates and quantises.
        limit: windows at most, spread over all; None: all.
        repeat: how often each window is sent.
    """

    windows: str = "int8"
    limit: int | None = None
    repeat: int = 1


@dataclass(frozen=True, eq=False)
class _Windows:
    """Windows to be asked, in order.

    Attributes:
        parts: name -> the part, with its windows' positions in the order of asking.
        wire: what goes over the wire, one tuple of arrays a window.
        int8: the model's inputs, one tuple a window, as Python quantises them.
    """

    parts: dict[str, tuple[WindowSet, range]]
    wire: list[tuple[np.ndarray, ...]]
    int8: list[tuple[np.ndarray, ...]]

    def __len__(self) -> int:
        return len(self.wire)


def evaluate(
    bundle: BoardBundle,
    targets: Sequence[Target],
    settings: EvalSettings,
    *,
    progress: Callable[[str, int | None, int | None], None],
) -> tuple[BoardSection, KdEdgeError | None]:
    """Ask the boards, compare, and put together the report's section.

    An error of a board, or Ctrl-C, ends the asking; what was answered is kept and `ended` says why.

    Returns:
        The section, and the first board's error that left windows unanswered.

    Raises:
        KdEdgeError KD_EMPTY_PART: the bundle has no such windows.
    """
    session = open_session("tflm", bundle.model_path)
    windows = _windows(bundle, session, settings, targets[0].device.hello)
    jobs = [
        Job(index, repeat, windows.wire[index])
        for repeat in range(settings.repeat)
        for index in range(len(windows))
    ]
    started = time.monotonic()
    done = share_out(
        [target.device for target in targets],
        jobs,
        kind=settings.windows,
        progress=lambda n, total: progress("windows answered", n, total),
    )
    seconds = time.monotonic() - started
    section = _section(targets, settings, windows, done, seconds)
    section = _with_host_answers(section, bundle, windows, done, session, progress)
    failed = bool(done.faults) and section.n_answered < section.n_asked
    return section, done.faults[min(done.faults)] if failed else None


# --- which windows ---


def _windows(
    bundle: BoardBundle, session: Session, settings: EvalSettings, hello: Hello
) -> _Windows:
    if settings.windows == "raw":
        return _raw_windows(bundle, session, settings, hello)
    model = bundle.manifest.model(bundle.manifest.product)
    stored = load_windows(bundle.folder / WINDOWS_FILE).parts
    parts = {n: w.only(model.inputs) for n, w in stored.items() if n != PARITY_PART and len(w)}
    if not parts:
        raise KdEdgeError("KD_EMPTY_PART", "the bundle has no test windows", where=WINDOWS_FILE)
    total = sum(len(part) for part in parts.values())
    keep = _spread_over(total, settings.limit)
    chosen: dict[str, tuple[WindowSet, range]] = {}
    int8: list[tuple[np.ndarray, ...]] = []
    first = 0
    for name, part in parts.items():
        own = keep[(keep >= first) & (keep < first + len(part))] - first
        first += len(part)
        if not len(own):
            continue
        taken = part.take(own)
        arrays = model_inputs(session, taken)
        chosen[name] = (taken, range(len(int8), len(int8) + len(taken)))
        int8 += [one_window(arrays, i) for i in range(len(taken))]
    return _Windows(chosen, int8, int8)


def _raw_windows(
    bundle: BoardBundle, session: Session, settings: EvalSettings, hello: Hello
) -> _Windows:
    if not hello.raw_bytes or not bundle.raw:
        what = "the board has no front end" if bundle.raw else "the bundle has no raw windows"
        raise KdEdgeError(
            "KD_COUNTS",
            f"raw windows cannot be sent: {what}",
            where="--windows raw",
            hint="name each sensor's units a count in the recipe (front_end.<modality>.lsb) and "
            "build again, or send --windows int8",
        )
    keep = _spread_over(len(bundle.raw), settings.limit)
    front_end = model_front_end(bundle.manifest.front_end, session.inputs)
    names = [stream.name for stream in hello.streams]
    wire = [tuple(bundle.raw[i][name] for name in names) for i in keep]
    int8 = [
        tuple(a.reshape(s.shape) for a, s in zip(arrays, session.inputs, strict=True))
        for i in keep
        for arrays in [quantised_window(bundle.raw[i], front_end, session.inputs)]
    ]
    labels = np.array([bundle.golden.labels[i] for i in keep], dtype=np.int64)
    part = WindowSet(
        inputs={},
        labels=labels,
        recordings=np.arange(len(keep)),
        subjects=np.full(len(keep), "all"),
        class_names=bundle.manifest.class_names,
        recording_names=tuple(f"golden window {i}" for i in keep),
        synthetic=bundle.manifest.synthetic,
    )
    return _Windows({GOLDEN_PART: (part, range(len(keep)))}, wire, int8)


def _spread_over(total: int, limit: int | None) -> np.ndarray:
    """Positions of at most `limit` windows, evenly over all."""
    if limit is None or limit >= total:
        return np.arange(total)
    return np.arange(limit) * total // limit


# --- the section ---


def _section(
    targets: Sequence[Target],
    settings: EvalSettings,
    windows: _Windows,
    done: Done,
    seconds: float,
) -> BoardSection:
    hello = targets[0].device.hello
    unit = "µs" if hello.ticks_kind == "microseconds" else hello.ticks_kind
    answers = list(done.answers.values())
    memory = None if done.faults else targets[0].device.memory()
    passed = None
    if not done.faults and not done.interrupted:
        passed = hello.golden_count - len(targets[0].device.selftest().failures)
    front_end_ticks = [a.front_end_ticks for a in answers if a.front_end_ticks]
    return BoardSection(
        board=hello.board,
        core=hello.core,
        engine=hello.engine,
        firmware=hello.firmware,
        clock_hz=hello.clock_hz,
        emulated=all(target.emulated for target in targets),
        model_sha256=hello.model_sha256,
        windows=settings.windows,
        n_asked=len(windows),
        n_answered=len(_first_answers(done)),
        repeats=settings.repeat,
        unsteady=_unsteady(done),
        ended=_why_ended(done, targets),
        accuracy={},
        agreement=(),
        disagreements=(),
        inference=spread([a.ticks for a in answers], unit),
        front_end=spread(front_end_ticks, unit),
        whole_us=spread([a.microseconds for a in answers], "µs"),
        memory=_memory(memory),
        links=tuple(_counts(t, n) for t, n in zip(targets, done.answered, strict=True)),
        seconds=seconds,
        golden_passed=passed,
        golden_count=hello.golden_count,
        notes=_notes(targets),
    )


def _first_answers(done: Done) -> dict[int, np.ndarray]:
    """Window -> scores of its first repetition that was answered."""
    scores: dict[int, np.ndarray] = {}
    for (window, _), answer in sorted(done.answers.items(), key=lambda item: item[0]):
        scores.setdefault(window, answer.scores)
    return scores


def _unsteady(done: Done) -> int:
    first = _first_answers(done)
    return len({w for (w, _), a in done.answers.items() if not np.array_equal(first[w], a.scores)})


def _why_ended(done: Done, targets: Sequence[Target]) -> str:
    if done.interrupted:
        return "interrupted"
    faults = [f"{targets[i].port}: {error.message}" for i, error in sorted(done.faults.items())]
    return "; ".join(faults)


def _memory(memory: Memory | None) -> BoardMemory | None:
    if memory is None:
        return None
    values = (memory.stack_used, memory.stack_size, memory.static_bytes, memory.arena_bytes)
    return BoardMemory(*(None if value == _UNKNOWN else value for value in values))


def _counts(target: Target, answered: int) -> LinkCounts:
    return LinkCounts(target.port, answered, asdict(target.device.statistics))


def _notes(targets: Sequence[Target]) -> tuple[str, ...]:
    kinds = {(t.device.hello.board, t.device.hello.engine) for t in targets}
    if len(kinds) > 1:
        told = ", ".join(f"{board} with {engine}" for board, engine in sorted(kinds))
        return (f"Boards of different kinds shared the work: {told}.",)
    return ()


# --- the host's answers ---


def _with_host_answers(
    section: BoardSection,
    bundle: BoardBundle,
    windows: _Windows,
    done: Done,
    session: Session,
    progress: Callable[[str, int | None, int | None], None],
) -> BoardSection:
    scores = _first_answers(done)
    order = sorted(scores)
    if not order:
        return section
    spec = session.outputs[0]
    board = np.stack([scores[i].reshape(-1) for i in order])
    described = _described(windows)
    agreements: list[Agreement] = []
    differing: list[Disagreement] = []
    for runtime in RUNTIMES:
        if not available(runtime):
            continue
        host = session if runtime == "tflm" else open_session(runtime, bundle.model_path)
        answers = []
        for n, i in enumerate(order, start=1):
            answers.append(host.run(windows.int8[i])[0].reshape(-1))
            progress(f"the same windows on {runtime}", n, len(order))
        theirs = np.stack(answers)
        agreements.append(agreement(runtime, board, theirs))
        differing += disagreements(
            runtime,
            board,
            theirs,
            [described[i] for i in order],
            bundle.manifest.class_names,
        )
    accuracy = {}
    position = {window: row for row, window in enumerate(order)}
    logits = dequantize(board, spec.scale, spec.zero_point)
    for name, (part, numbers) in windows.parts.items():
        own = [i for i in numbers if i in position]
        if own:
            answered = part.take(np.array([i - numbers.start for i in own]))
            accuracy[name] = measure_accuracy(logits[[position[i] for i in own]], answered)
    return replace(
        section,
        accuracy=accuracy,
        agreement=tuple(agreements),
        disagreements=tuple(differing),
    )


def _described(windows: _Windows) -> list[tuple[str, int, str, str]]:
    """Part, number in it, recording and label of every window."""
    return [
        (
            name,
            i,
            part.recording_names[part.recordings[i]],
            part.class_names[part.labels[i]],
        )
        for name, (part, _) in windows.parts.items()
        for i in range(len(part))
    ]
