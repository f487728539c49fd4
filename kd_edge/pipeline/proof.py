"""Proof: size, latency, arena, accuracy and parity of every model, format and runtime."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kd_edge.base.formats import FORMATS, REFERENCE, SHIPPED
from kd_edge.examples import Examples
from kd_edge.measure.arena import measure_arena
from kd_edge.measure.latency import measure_latency
from kd_edge.measure.results import Latency
from kd_edge.measure.size import measure_size
from kd_edge.pipeline.bundle import BundledFormat, BundledModel, Manifest
from kd_edge.pipeline.composed_proof import Composed
from kd_edge.pipeline.kept_windows import PARITY_PART, StoredWindows
from kd_edge.recipe import Proof
from kd_edge.report.tree import Row
from kd_edge.runtimes.interpreter import run_windows
from kd_edge.runtimes.parity import compare_forms, compare_runtimes
from kd_edge.runtimes.registry import ON_PHONES, ORACLE, RUNTIMES, open_interpreter
from kd_edge.runtimes.results import KERAS, Parity, Side
from kd_edge.tasks import find_task

# The forms that are compared with each other.
_KERAS = Side(KERAS, KERAS)
_FORMS = (Side(REFERENCE, ON_PHONES), Side(SHIPPED, ORACLE))
# Formats whose answers are compared with Keras and between runtimes.
_COMPARED = tuple(side.format for side in _FORMS)


@dataclass(frozen=True)
class Proven:
    """What was measured on this host."""

    rows: tuple[Row, ...]
    parity: tuple[Parity, ...]


@dataclass(frozen=True, eq=False)
class _Kept:
    """Dequantised answers on the parity windows, and the size of one output step (None: float)."""

    logits: np.ndarray
    step: float | None


class Prover:
    """Measures the models of one bundle on given windows.

    Args:
        folder: the bundle's. stored: windows by part, and Keras's answers on them where known.
        progress: called with (what, done, total).
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        stored: StoredWindows,
        settings: Proof,
        *,
        progress: Callable[[str, int, int], None] | None = None,
    ):
        self._folder = folder
        self._manifest = manifest
        self._task = find_task(manifest.task)
        self._stored = stored
        self._settings = settings
        self._tell = progress or (lambda what, done, total: None)
        self._tests = {n: w for n, w in stored.parts.items() if n != PARITY_PART}
        # Answers on the parity windows, kept so that forms can be compared without another run.
        self._answers: dict[tuple[str, Side], _Kept] = {}

    def prove(self) -> Proven:
        """Measure everything; rows come in the bundle's order."""
        jobs = list(self._jobs())
        rows = []
        for done, (model, fmt, runtime) in enumerate(jobs):
            what = f"{model.name} {fmt.format if fmt else KERAS} on {runtime}"
            self._tell(what, done, len(jobs))
            rows.append(self._row(model, fmt, runtime) if fmt else self._keras_row(model))
        composed = self._composed(tuple(rows))
        if composed:
            self._tell(self._manifest.product, len(jobs), len(jobs))
            rows += composed.rows(self._settings)
        self._tell("parity", len(jobs), len(jobs))
        parity = [*self._parity(), *(composed.parity() if composed else ())]
        return Proven(tuple(rows), tuple(parity))

    def _composed(self, rows: tuple[Row, ...]) -> Composed | None:
        if self._manifest.composition is None:
            return None
        return Composed(self._folder, self._manifest, self._stored, rows=rows)

    def _jobs(self) -> Iterator[tuple[BundledModel, BundledFormat | None, str]]:
        for model in self._manifest.models:
            if model.name in self._stored.logits:
                yield model, None, KERAS
            for fmt in model.formats:
                for runtime in fmt.runtimes_here:
                    yield model, fmt, runtime

    def _keras_row(self, model: BundledModel) -> Row:
        logits = self._stored.logits[model.name]
        return Row(
            model=model.name,
            role=model.role,
            architecture=model.architecture,
            format=KERAS,
            runtime=KERAS,
            parameters=model.parameters,
            size=None,
            accuracy=self._accuracy(model, {name: logits[name] for name in self._tests}),
            latency=None,
            arena=None,
        )

    def _row(self, model: BundledModel, fmt: BundledFormat, runtime: str) -> Row:
        path = self._folder / fmt.file
        interpreter = open_interpreter(runtime, path)
        windows = self._windows(model)
        accuracy = self._accuracy(
            model, {name: run_windows(interpreter, windows[name]).logits for name in self._tests}
        )
        if _is_compared(fmt) and model.role == "student":
            answers = run_windows(interpreter, windows[PARITY_PART])
            self._answers[model.name, Side(fmt.format, runtime)] = _Kept(
                answers.logits, interpreter.outputs[0].scale
            )
        return Row(
            model=model.name,
            role=model.role,
            architecture=model.architecture,
            format=fmt.format,
            runtime=runtime,
            parameters=model.parameters,
            size=measure_size(path, FORMATS.find(fmt.format).kind),
            accuracy=accuracy,
            latency=self._latency(path, runtime, windows[PARITY_PART]),
            arena=measure_arena(path) if RUNTIMES[runtime].has_arena else None,
            notes=(*fmt.notes, *filter(None, [_beside(fmt.format, runtime)])),
        )

    def _latency(self, path: Path, runtime: str, windows: Examples) -> Latency | None:
        if not RUNTIMES[runtime].timed:
            return None
        return measure_latency(runtime, path, windows, n_runs=self._settings.latency_runs)

    def _accuracy(self, model: BundledModel, logits: dict[str, np.ndarray]) -> dict:
        """Part -> figure. A selector's classes are models: it has none of its own."""
        if model.role == "selector":
            return {}
        return {name: self._task.score(each, self._tests[name]) for name, each in logits.items()}

    def _windows(self, model: BundledModel) -> dict[str, Examples]:
        return {name: part.only(model.inputs) for name, part in self._stored.parts.items()}

    def _parity(self) -> Iterator[Parity]:
        """Students alone: teachers do not ship."""
        for model in self._manifest.models:
            if model.role != "student":
                continue
            windows = self._windows(model)[PARITY_PART]
            for fmt in model.formats:
                if fmt.format in _COMPARED:
                    yield from self._between_runtimes(model, fmt, windows)
            yield from self._between_forms(model)

    def _between_runtimes(
        self, model: BundledModel, fmt: BundledFormat, windows: Examples
    ) -> Iterator[Parity]:
        """The oracle for a board against every other runtime."""
        runtimes = fmt.runtimes_here
        if ORACLE not in runtimes:
            return
        for runtime in runtimes:
            if runtime != ORACLE:
                path = self._folder / fmt.file
                parity = compare_runtimes(
                    path, windows, runtime, ORACLE, fmt=fmt.format, task=self._task
                )
                yield replace(parity, model=model.name)

    def _between_forms(self, model: BundledModel) -> Iterator[Parity]:
        """Keras against float32 and int8, and float32 against int8: a wrong conversion is wrong
        on every runtime alike, so parity between runtimes cannot see it."""
        sides: dict[Side, _Kept] = {}
        if model.name in self._stored.logits:
            sides[_KERAS] = _Kept(self._stored.logits[model.name][PARITY_PART], None)
        for side in _FORMS:
            kept = self._answers.get((model.name, side))
            if kept is not None:
                sides[side] = kept
        for left, right in itertools.combinations(sides, 2):
            a, b = sides[left], sides[right]
            parity = compare_forms(a.logits, b.logits, left, right, task=self._task, step=b.step)
            yield replace(parity, model=model.name)
        for right in [side for name, side in self._answers if name == model.name]:
            wanted = FORMATS.find(right.format).same_as
            # Keras is what the float form comes from.
            for left, kept in sides.items():
                if left.format == wanted or (wanted == REFERENCE and left == _KERAS):
                    yield self._with_its_own(model.name, left, kept, right)

    def _with_its_own(self, model: str, left: Side, kept: _Kept, right: Side) -> Parity:
        """A form against one whose answers it must give."""
        logits = self._answers[model, right].logits
        parity = compare_forms(kept.logits, logits, left, right, task=self._task, step=kept.step)
        return replace(parity, model=model, note=_beside(right.format, right.runtime))


def _beside(fmt: str, runtime: str) -> str:
    return RUNTIMES[runtime].beside(FORMATS.find(fmt))


def _is_compared(fmt: BundledFormat) -> bool:
    return fmt.format in _COMPARED or bool(FORMATS.find(fmt.format).same_as)
