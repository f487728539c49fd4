"""`eval`: windows to boards, their answers beside the host's."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from math import prod

import numpy as np

from kd_edge.base.composition import ALL
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.product import Product
from kd_edge.base.quantisation import dequantize
from kd_edge.link.messages import Answer, Memory
from kd_edge.pipeline.boards.asked import (
    Asked,
    EvalSettings,
    Progress,
    asked_windows,
    check_board,
)
from kd_edge.pipeline.boards.bundle_image import BoardBundle
from kd_edge.pipeline.boards.closing import Closing, ask_closing
from kd_edge.pipeline.boards.compare import agreement, disagreements, spread
from kd_edge.pipeline.boards.deciding import decisions_alike
from kd_edge.pipeline.boards.targets import Target
from kd_edge.pipeline.boards.work import Done, Job, share_out
from kd_edge.pipeline.composed_proof import count_answers
from kd_edge.report.board_tree import Agreement, BoardMemory, BoardSection, Disagreement, LinkCounts
from kd_edge.runtimes.composed import open_product
from kd_edge.runtimes.interpreter import Interpreter
from kd_edge.runtimes.registry import ORACLE, RUNTIMES, available
from kd_edge.tasks import find_task

_UNKNOWN = 0xFFFFFFFF  # KD_BOARD_UNKNOWN on the wire


def evaluate(
    bundle: BoardBundle,
    targets: Sequence[Target],
    settings: EvalSettings,
    *,
    progress: Progress,
) -> tuple[BoardSection, KdEdgeError | None]:
    """Ask the boards, compare, and put together the report's section.

    An error of a board, or Ctrl-C, ends the asking; what was answered is kept and `ended` says why.

    Returns:
        The section, and the error of the first board that failed, even where others took its work.

    Raises:
        KdEdgeError KD_EMPTY_PART: the bundle has no such windows.
        KdEdgeError KD_USAGE: several boards for a wearer's windows in their order.
        KdEdgeError KD_BOARD_MODEL: a board takes or gives something else than the bundle's model.
    """
    interpreter = open_product(bundle.product, ORACLE)
    for target in targets:
        check_board(bundle, interpreter, target.device.hello, raw=settings.windows == "raw")
    windows = asked_windows(bundle, interpreter, settings, targets[0].device.hello, progress)
    _begin_to_learn(bundle, targets, settings, windows)
    if len(targets) > 1:
        # No board sees all windows of a recording: each decides about each window alone.
        windows = replace(windows, goes_on=frozenset())
    jobs = [
        Job(index, repeat, windows.wire[index], begins=index not in windows.goes_on)
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
    closing = ask_closing(targets, done)
    section = _section(targets, settings, windows, done, closing, seconds)
    try:
        section = _with_host_answers(section, bundle, targets, windows, done, interpreter, progress)
    except KeyboardInterrupt:
        ended = f"{section.ended}; " if section.ended else ""
        section = replace(section, ended=f"{ended}interrupted before the host had answered")
    return section, done.faults[min(done.faults)] if done.faults else None


def _begin_to_learn(
    bundle: BoardBundle, targets: Sequence[Target], settings: EvalSettings, windows: Asked
) -> None:
    """Boards whose running normalisers were frozen would not follow a wearer.

    Raises:
        KdEdgeError KD_USAGE: several boards, each of which would see a part of a wearer's windows.
    """
    if not bundle.manifest.learns or settings.windows != "raw":
        return
    if windows.goes_on and len(targets) > 1:
        raise KdEdgeError(
            "KD_USAGE",
            "a running normaliser must see all of a wearer's raw windows on one board",
            where=f"{len(targets)} boards",
            hint="name one board, or send --windows int8",
        )
    for target in targets:
        target.device.normaliser("thaw")


# --- the section ---


def _section(
    targets: Sequence[Target],
    settings: EvalSettings,
    windows: Asked,
    done: Done,
    closing: Closing,
    seconds: float,
) -> BoardSection:
    hello = targets[0].device.hello
    unit = "µs" if hello.ticks_kind == "microseconds" else hello.ticks_kind
    answers = _answers_alike(targets, done)
    failures = closing.golden_failures
    passed = hello.golden_count - max(failures.values()) if failures else None
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
        memory=_memory(closing.memories.get(0)),
        links=tuple(_link(i, target, done, closing) for i, target in enumerate(targets)),
        seconds=seconds,
        golden_passed=passed,
        golden_count=hello.golden_count,
        notes=(*windows.notes, *_notes(targets)),
    )


def _answers_alike(targets: Sequence[Target], done: Done) -> list[Answer]:
    """Answers of the boards of the first one's kind: ticks of others are no such distribution."""
    alike = {i for i, target in enumerate(targets) if _kind(target) == _kind(targets[0])}
    return [answer for job, answer in done.answers.items() if done.answerers[job] in alike]


def _kind(target: Target) -> tuple[str, str]:
    return target.device.hello.board, target.device.hello.engine


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
    reasons = ["interrupted"] if done.interrupted else []
    reasons += [f"{targets[i].port}: {error.message}" for i, error in sorted(done.faults.items())]
    return "; ".join(reasons)


def _memory(memory: Memory | None) -> BoardMemory | None:
    if memory is None:
        return None
    values = (memory.stack_used, memory.stack_size, memory.static_bytes, memory.arena_bytes)
    return BoardMemory(*map(_known, values))


def _known(value: int) -> int | None:
    return None if value == _UNKNOWN else value


def _link(index: int, target: Target, done: Done, closing: Closing) -> LinkCounts:
    memory = closing.memories.get(index)
    return LinkCounts(
        port=target.port,
        answered=done.answered[index],
        counters=asdict(target.device.statistics),
        overruns=_known(memory.overruns) if memory else None,
    )


def _notes(targets: Sequence[Target]) -> tuple[str, ...]:
    kinds = {_kind(target) for target in targets}
    if len(kinds) > 1:
        told = ", ".join(f"{board} with {engine}" for board, engine in sorted(kinds))
        first = " with ".join(_kind(targets[0]))
        return (
            f"Boards of different kinds shared the work: {told}. Times and memory are those of "
            f"{first}.",
        )
    return ()


# --- the host's answers ---


def _with_host_answers(
    section: BoardSection,
    bundle: BoardBundle,
    targets: Sequence[Target],
    windows: Asked,
    done: Done,
    interpreter: Interpreter,
    progress: Progress,
) -> BoardSection:
    scores = _first_answers(done)
    order = sorted(scores)
    if not order:
        return section
    rule = bundle.manifest.decision
    if rule is not None:
        section = replace(section, decisions=decisions_alike(rule, done, windows.goes_on))
    spec, task = interpreter.outputs[0], find_task(bundle.manifest.task)
    shape = spec.shape[1:]
    board = np.stack([scores[i].reshape(-1) for i in order])
    described = windows.described(task)
    agreements: list[Agreement] = []
    differing: list[Disagreement] = []
    for runtime in _beside():
        host = interpreter if runtime == ORACLE else open_product(bundle.product, runtime)
        answers = []
        for n, i in enumerate(order, start=1):
            outputs = host.run(windows.int8[i])
            answers.append(np.concatenate([output.reshape(-1) for output in outputs]))
            progress(f"the same windows on {runtime}", n, len(order))
        theirs = np.stack(answers)
        agreements.append(agreement(runtime, board, theirs, task=task, shape=shape))
        differing += disagreements(
            runtime,
            board,
            theirs,
            [described[i] for i in order],
            bundle.manifest.class_names,
            task=task,
            shape=shape,
        )
    accuracy = {}
    position = {window: row for row, window in enumerate(order)}
    told = board[:, : prod(shape)].reshape(-1, *shape)
    logits = dequantize(told, spec.scale, spec.zero_point)
    for name, (part, numbers) in windows.parts.items():
        own = [i for i in numbers if i in position]
        if own:
            answered = part.take(np.array([i - numbers.start for i in own]))
            accuracy[name] = task.score(logits[[position[i] for i in own]], answered)
    return replace(
        section,
        accuracy=accuracy,
        agreement=tuple(agreements),
        disagreements=tuple(differing),
        answered=count_answers(bundle.product, board[:, -1]) if bundle.product.composition else {},
        answered_ticks=_ticks_of_models(bundle.product, targets, done, scores),
    )


def _ticks_of_models(
    product: Product, targets: Sequence[Target], done: Done, scores: Mapping[int, np.ndarray]
) -> dict[str, float]:
    """Model -> mean ticks of the windows that it answered; empty where all answer."""
    if product.composition is None:
        return {}
    kind = _kind(targets[0])
    ticks: dict[int, list[int]] = defaultdict(list)
    for job, answer in done.answers.items():
        if _kind(targets[done.answerers[job]]) == kind:
            ticks[int(scores[job[0]].reshape(-1)[-1])].append(answer.ticks)
    models = product.composition.models
    return {models[who]: float(np.mean(ticks[who])) for who in sorted(ticks) if who != ALL}


def _beside() -> tuple[str, ...]:
    """The runtimes that answer the board's windows too: its oracle, and what phones run."""
    asked = (ORACLE, *(name for name, runtime in RUNTIMES.items() if runtime.on_phones))
    return tuple(name for name in dict.fromkeys(asked) if available(name))
