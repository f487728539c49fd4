"""Proof of a composition: its rows beside its models', and its parity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from kd_edge.base.composition import ALL, real_answers
from kd_edge.base.formats import SHIPPED
from kd_edge.base.product import Product
from kd_edge.examples import Examples
from kd_edge.measure.latency import time_interpreter
from kd_edge.measure.results import Arena, Size
from kd_edge.pipeline.bundle import Manifest
from kd_edge.pipeline.kept_windows import PARITY_PART, StoredWindows
from kd_edge.pipeline.shipped import shipped
from kd_edge.recipe import Proof
from kd_edge.report.tree import Row
from kd_edge.runtimes.composed import open_product
from kd_edge.runtimes.interpreter import Answers, run_windows
from kd_edge.runtimes.parity import compare_forms
from kd_edge.runtimes.registry import ORACLE, RUNTIMES, installed
from kd_edge.runtimes.results import KERAS, Parity, Side
from kd_edge.tasks import find_task

_FLOAT, _BOARD = Side(KERAS, KERAS), Side(SHIPPED, ORACLE)
_LATENCY = "The latency is that of all models that the rule ran, and of handing them the window."
_FORMS = (
    "where a rule stands on the edge, another model answers, and its scores lie on another scale"
)
_PARITY = "the rule over its models' answers; the models' own rows say which layer differs first"


class Composed:
    """A bundle's composition on given windows.

    Args:
        folder: the bundle's. stored: windows by part, and Keras's answers on them where known.
        rows: of its models, whose sizes and arenas add up.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, stored: StoredWindows, *, rows: tuple[Row, ...]
    ):
        self._manifest = manifest
        self._task = find_task(manifest.task)
        self._product = shipped(folder, manifest, built=False)
        self._stored = stored
        self._rows = rows
        self._answers: dict[str, dict[str, Answers]] = {}

    def rows(self, settings: Proof) -> Iterator[Row]:
        """Keras's figures where they are known, then int8 on every runtime."""
        real = real_scores(self._product, self._stored)
        if real:
            yield replace(
                self._row(KERAS, KERAS, {name: both[0] for name, both in real.items()}),
                answered=self._counts({name: both[1] for name, both in real.items()}),
            )
        for runtime in runtimes_of(self._manifest):
            interpreter = open_product(self._product, runtime)
            windows = self._windows()
            found = {name: run_windows(interpreter, part) for name, part in windows.items()}
            self._answers[runtime] = found
            yield replace(
                self._row(SHIPPED, runtime, {name: one.logits for name, one in found.items()}),
                size=self._size(runtime),
                latency=time_interpreter(
                    interpreter, runtime, windows[PARITY_PART], n_runs=settings.latency_runs
                ),
                arena=self._arena() if RUNTIMES[runtime].has_arena else None,
                notes=(_LATENCY,),
                answered=self._counts({name: one.answered for name, one in found.items()}),
            )

    def parity(self) -> Iterator[Parity]:
        """Every runtime, and Keras, against TFLite Micro; after `rows`."""
        found = {runtime: parts[PARITY_PART] for runtime, parts in self._answers.items()}
        board = found.pop(ORACLE, None)
        if board is None:
            return
        scale = self._product.common.scale
        sides = [(Side(SHIPPED, name), "runtimes", each.logits) for name, each in found.items()]
        real = real_scores(self._product, self._stored)
        if real:
            sides.append((_FLOAT, "forms", real[PARITY_PART][0]))
        for side, kind, logits in sides:
            parity = compare_forms(logits, board.logits, side, _BOARD, task=self._task, step=scale)
            note = _PARITY if kind == "runtimes" else _FORMS
            yield replace(parity, kind=kind, model=self._manifest.product, note=note)

    def _row(self, form: str, runtime: str, scores: dict[str, np.ndarray]) -> Row:
        composition = self._manifest.composition
        counted = [model.parameters for model in self._manifest.members]
        return Row(
            model=self._manifest.product,
            role="composition",
            architecture=f"{composition.rule} of {', '.join(composition.models)}",
            format=form,
            runtime=runtime,
            parameters=None if None in counted else sum(counted),
            size=None,
            accuracy={
                name: self._task.score(scores[name], part)
                for name, part in self._windows().items()
                if name != PARITY_PART
            },
            latency=None,
            arena=None,
        )

    def _windows(self) -> dict[str, Examples]:
        return {n: p.only(self._manifest.product_inputs) for n, p in self._stored.parts.items()}

    def _counts(self, answered: dict[str, np.ndarray]) -> dict[str, dict[str, int]]:
        return {
            name: counts
            for name, who in answered.items()
            if name != PARITY_PART and (counts := count_answers(self._product, who))
        }

    def _of_models(self, runtime: str) -> list[Row]:
        """The int8 rows of its models, in its order."""
        found = {r.model: r for r in self._rows if (r.format, r.runtime) == (SHIPPED, runtime)}
        return [found[member.name] for member in self._product.members]

    def _size(self, runtime: str) -> Size:
        sizes = [row.size for row in self._of_models(runtime)]
        macs = [size.macs for size in sizes]
        every = self._product.composition.rule == "average" and None not in macs
        layers = [
            replace(layer, name=f"{member.name}: {layer.name}")
            for member, size in zip(self._product.members, sizes, strict=True)
            for layer in size.layers
        ]
        return Size(
            file_bytes=sum(size.file_bytes for size in sizes),
            weight_bytes=sum(size.weight_bytes for size in sizes),
            overhead_bytes=sum(size.overhead_bytes for size in sizes),
            # What runs depends on the window, unless all run.
            macs=sum(macs) if every else None,
            layers=tuple(replace(layer, index=i) for i, layer in enumerate(layers)),
        )

    def _arena(self) -> Arena | None:
        arenas = {row.model: row.arena for row in self._of_models(ORACLE)}
        if None in arenas.values():
            return None
        smallest = [arena.smallest_bytes for arena in arenas.values()]
        return Arena(
            abi=next(iter(arenas.values())).abi,
            used_bytes=sum(arena.used_bytes for arena in arenas.values()),
            smallest_bytes=None if None in smallest else sum(smallest),
            sections=tuple((name, arena.used_bytes) for name, arena in arenas.items()),
            how="the sum of its models' arenas: each has one of its own, and keeps its inputs and "
            "its state there. " + next(iter(arenas.values())).how,
        )


def runtimes_of(manifest: Manifest) -> tuple[str, ...]:
    """The installed runtimes that take the int8 file of every model of the product."""
    formats = [model.format(SHIPPED) for model in manifest.members]
    taken = [() if fmt is None else fmt.runtimes_here for fmt in formats]
    return tuple(name for name in installed() if all(name in each for each in taken))


def real_scores(
    product: Product, stored: StoredWindows
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Part -> the composition's (n, ..., classes) scores over Keras's, and (n,) who answered.

    Empty where Keras's are unknown.
    """
    names = product.composition.members
    if not set(names) <= stored.logits.keys():
        return {}
    outputs = {member.name: member.outputs[0] for member in product.members}
    return {
        part: real_answers(
            product.composition, outputs, {name: stored.logits[name][part] for name in names}
        )
        for part in stored.parts
    }


def count_answers(product: Product, who: np.ndarray) -> dict[str, int]:
    """Model -> windows that it answered; empty where all answer together.

    Args:
        who: (n,) int places of models, or `ALL`.
    """
    counts = Counter(int(place) for place in who)
    if set(counts) == {ALL}:
        return {}
    return {name: counts[place] for place, name in enumerate(product.composition.models)}
