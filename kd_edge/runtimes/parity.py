"""Parity: whether two runtimes, or two forms of a model, give the same answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import Operator, Tensor, TfliteModel, read_tflite
from kd_edge.examples import Examples
from kd_edge.runtimes.interpreter import Interpreter, model_inputs, one_window, run_windows
from kd_edge.runtimes.registry import RUNTIMES, open_interpreter
from kd_edge.runtimes.results import LayerDifference, Parity, Side
from kd_edge.tasks import Task

# Float kernels add in different orders: below this part of a tensor's largest value, equal.
FLOAT_TOLERANCE = 1e-4

# int8 kernels of two runtimes round differently: so many steps apart is what healthy models show.
ROUNDING_STEPS = 4

# Layers are looked at in this many of the windows that differ: each costs a run of both sides.
_WINDOWS_SEARCHED = 16


def compare_runtimes(
    path: Path, windows: Examples, left: str, right: str, *, fmt: str, task: Task
) -> Parity:
    """The same file in two runtimes, window by window, each from a fresh state.

    Args:
        path: a `.tflite`. fmt: its format. task: what its answers mean.
        windows: at least 256 make a figure worth stating.
        left, right: keys of `RUNTIMES`.

    Returns:
        Parity of kind 'runtimes'. Where outputs differ, `first_difference` is the first layer in
        execution order that differs in any of the first differing windows.

    Raises:
        KdEdgeError: as `open_interpreter` and `run_windows`.
    """
    left_interpreter = open_interpreter(left, path)
    left_answers = run_windows(left_interpreter, windows)
    right_answers = run_windows(open_interpreter(right, path), windows)
    differing = np.flatnonzero(
        [_differs(a, b) for a, b in zip(left_answers.raw, right_answers.raw, strict=True)]
    )
    first, note = None, ""
    if len(differing) and not all(RUNTIMES[side].inner_tensors for side in (left, right)):
        note = "layers were not compared: inner tensors cannot be read on one side"
    elif len(differing):
        searched = differing[:_WINDOWS_SEARCHED]
        first, note = _first_difference(path, windows, searched, left, right)
    quantised = left_interpreter.outputs[0].is_quantised
    return Parity(
        left=Side(fmt, left),
        right=Side(fmt, right),
        kind="runtimes",
        n_windows=len(windows),
        class_agreement=task.agreement(left_answers.logits, right_answers.logits),
        max_steps=int(_steps(left_answers.raw, right_answers.raw)) if quantised else None,
        max_abs=float(np.max(np.abs(left_answers.logits - right_answers.logits))),
        first_difference=first,
        note=note,
    )


def compare_forms(
    left_logits: np.ndarray,
    right_logits: np.ndarray,
    left: Side,
    right: Side,
    *,
    task: Task,
    step: float | None = None,
) -> Parity:
    """Two forms of one model on the same windows, such as Keras against int8.

    A wrong conversion is wrong on every runtime alike, so parity between runtimes cannot see it.

    Args:
        left_logits, right_logits: (n_windows, classes), dequantised.
        left, right: what gave them.
        task: what the answers mean.
        step: size of one quantisation step of the quantised side's output; None where neither has.

    Returns:
        Parity of kind 'forms'; `max_steps` is the largest difference in whole steps.

    Raises:
        KdEdgeError KD_SHAPE: the sides have different shapes.
        KdEdgeError KD_EMPTY_PART: there is no window.
    """
    if left_logits.shape != right_logits.shape:
        raise KdEdgeError(
            "KD_SHAPE",
            f"the two forms give scores of shapes {left_logits.shape} and {right_logits.shape}",
            where=f"{left}, {right}",
        )
    if len(left_logits) == 0:
        raise KdEdgeError("KD_EMPTY_PART", "there is no window to compare the forms on")
    max_abs = float(np.max(np.abs(left_logits - right_logits)))
    return Parity(
        left=left,
        right=right,
        kind="forms",
        n_windows=len(left_logits),
        class_agreement=task.agreement(left_logits, right_logits),
        max_steps=None if step is None else round(max_abs / step),
        max_abs=max_abs,
    )


def _steps(left: np.ndarray, right: np.ndarray) -> int:
    return int(np.max(np.abs(left.astype(np.int64) - right.astype(np.int64)), initial=0))


def _differs(left: np.ndarray, right: np.ndarray, above_steps: int = 0) -> bool:
    if np.issubdtype(left.dtype, np.integer):
        return _steps(left, right) > above_steps
    limit = FLOAT_TOLERANCE * float(np.max(np.abs(left), initial=0.0))
    # Written so that a NaN on one side differs.
    return not bool(np.all((np.abs(left - right) <= limit) | (np.isnan(left) & np.isnan(right))))


def _first_difference(
    path: Path, windows: Examples, searched: np.ndarray, left: str, right: str
) -> tuple[LayerDifference | None, str]:
    """The first layer that differs in the windows `searched`, and what the reader must know."""
    model = read_tflite(path)
    sides = [open_interpreter(name, path, preserve_tensors=True) for name in (left, right)]
    arrays = model_inputs(sides[0], windows)
    found: dict[int, LayerDifference | None] = {0: None, ROUNDING_STEPS: None}
    for window in searched:
        for side in sides:
            side.run(one_window(arrays, int(window)))
        for above, known in found.items():
            # Later windows are only of interest for layers before the one that is known.
            limit = len(model.operators) if known is None else known.index
            found[above] = (
                differing_layer(model, sides, int(window), limit, above_steps=above) or known
            )
    first, beyond = found.values()
    note = (
        f"layers were looked at in {len(searched)} of the windows that differ, with every tensor "
        "kept in memory and without delegates"
    )
    if first is None:
        note += "; so run no layer differs: the difference comes from a delegate's kernels"
    elif beyond is not None and beyond.max_steps is not None and beyond.index != first.index:
        note += (
            f"; the first that differs by more than rounding is operator {beyond.index}, "
            f"{beyond.operator} '{beyond.tensor}', {beyond.max_steps} steps in window "
            f"{beyond.window}"
        )
    return first, note


def differing_layer(
    model: TfliteModel,
    sides: Sequence[Interpreter],
    window: int,
    limit: int,
    *,
    above_steps: int = 0,
) -> LayerDifference | None:
    """The first of the first `limit` operators whose output differs between two interpreters.

    Both were opened with preserve_tensors and have just run the same window, whose index goes into
    the answer. Quantised tensors up to `above_steps` apart count as equal.
    """
    for operator in model.operators[:limit]:
        for index in operator.outputs:
            left, right = (side.tensor(index) for side in sides)
            if _differs(left, right, above_steps):
                tensor = model.tensors[index]
                return _layer_difference(operator, tensor, left, right, window)
    return None


def _layer_difference(
    operator: Operator, tensor: Tensor, left: np.ndarray, right: np.ndarray, window: int
) -> LayerDifference:
    quantised = np.issubdtype(left.dtype, np.integer)
    steps = _steps(left, right) if quantised else None
    return LayerDifference(
        index=operator.index,
        operator=operator.name,
        tensor=tensor.name,
        max_steps=steps,
        max_abs=(
            steps * float(tensor.scales[0] if tensor.scales else 1.0)
            if quantised
            else float(np.max(np.abs(left - right)))
        ),
        window=window,
    )
