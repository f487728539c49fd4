"""Several models that answer as one: the rule in whole numbers, the same in NumPy and in C.

`firmware_export/runtime/rules/kd_rule.c` computes these functions too, bit for bit.

- average: every model runs; the answer is the mean of their scores.
- cascade: the first model runs. Where the gap between its two best scores is below a limit, the
  next one runs, and so on; the last one answers in any case.
- selector: a further model looks at the window, and the model that it picks runs.

Models quantise their scores differently. The answer is on one common scale, so that a product has
one output whoever answered. What the answering model decided stays decided: see `rescaled`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kd_edge.base.tensors import TensorSpec

RULES = ("average", "cascade", "selector")
# Factors are so many times larger than the ratio of two scales, and sums so many times a step.
FACTOR_BITS = 20
# A sum divided by 2^20 lies above minus this; added before the shift, it keeps numbers positive.
_BELOW = 256
MOST_MARGIN = 255
# `answered` where no single model did: the average.
ALL = -1
# The second output of a composition: which model answered.
ANSWERED = "answered"


@dataclass(frozen=True)
class Composition:
    """A rule and the models that it joins.

    Attributes:
        rule: one of `RULES`.
        models: those that may answer, in order.
        least_margins: of a cascade, one for each model but the last: the model answers if its best
            score is so many int8 steps of its own above the next, 0 to 256. 256 is never reached.
        selector: the model that picks; None for the other rules. It has a score a model, and the
            best picks; or one score, which picks the second of two models from `threshold` on.
        threshold: int8 step of a selector with one score.

    Raises:
        ValueError: with a sentence, where these do not fit together.
    """

    rule: str
    models: tuple[str, ...]
    least_margins: tuple[int, ...] = ()
    selector: str | None = None
    threshold: int = 0

    def __post_init__(self):
        for sentence, wrong in (
            (f"no rule is called {self.rule!r}", self.rule not in RULES),
            ("a composition has two models or more", len(self.models) < 2),
            ("a model answers twice", len(set(self.members)) < len(self.members)),
            ("a selector picks, and only there", (self.selector is None) == self.picks),
            (
                "a cascade has a margin for each model but the last",
                len(self.least_margins) != (len(self.models) - 1) * (self.rule == "cascade"),
            ),
            (
                f"margins are 0 to {MOST_MARGIN + 1} steps",
                not all(0 <= margin <= MOST_MARGIN + 1 for margin in self.least_margins),
            ),
            ("a threshold is an int8 step", not -128 <= self.threshold <= 127),
        ):
            if wrong:
                raise ValueError(sentence)

    @property
    def picks(self) -> bool:
        return self.rule == "selector"

    @property
    def members(self) -> tuple[str, ...]:
        """Every model of it, the selector last."""
        return (*self.models, *((self.selector,) if self.selector is not None else ()))


@dataclass(frozen=True)
class CommonScale:
    """The scale of a composition's scores, and how each model's come onto it.

    Attributes:
        scale, zero_point: of the answer.
        zero_points: of each model's scores.
        factors: of each model: steps of the answer in one of its own, times 2^20; of an average
            divided by the number of models too.
    """

    scale: float
    zero_point: int
    zero_points: tuple[int, ...]
    factors: tuple[int, ...]


def common_scale(rule: str, outputs: Sequence[TensorSpec]) -> CommonScale:
    """The finest scale that holds every answer; one model's own where all are alike.

    Args:
        outputs: the int8 scores of the models that may answer.
    """
    scales = np.array([float(np.float32(spec.scale)) for spec in outputs])
    zero_points = np.array([spec.zero_point for spec in outputs])
    lows, highs = (-128 - zero_points) * scales, (127 - zero_points) * scales
    mean = rule == "average"
    low, high = (lows.mean(), highs.mean()) if mean else (lows.min(), highs.max())
    scale = float(np.float32((high - low) / 255))
    zero_point = int(np.clip(np.rint(-128 - low / scale), -128, 127))
    ratios = scales / scale / (len(outputs) if mean else 1)
    return CommonScale(
        scale,
        zero_point,
        tuple(int(value) for value in zero_points),
        tuple(int(value) for value in np.rint(ratios * 2**FACTOR_BITS)),
    )


def answer(
    composition: Composition, common: CommonScale, run: Callable[[int], np.ndarray]
) -> tuple[np.ndarray, int]:
    """The answer to one window; models that the rule does not ask do not run.

    Args:
        run: the int8 scores (..., classes) of the model at that place of `composition.members`.

    Returns:
        int8 scores of a model's shape on the common scale, and the place of the model that
        answered, or `ALL`.
    """
    models = range(len(composition.models))
    if composition.rule == "average":
        return averaged([run(i) for i in models], common), ALL
    if composition.picks:
        place = picked(run(len(composition.models)), composition.threshold)
        return rescaled(run(place), place, common), place
    for place, least in enumerate((*composition.least_margins, 0)):
        scores = run(place)
        if margin(scores) >= least:
            break
    return rescaled(scores, place, common), place


def margin(scores: np.ndarray) -> int:
    """Steps from the best of (..., classes) int8 scores to the next; the smallest of all places."""
    return int(margins(scores[None])[0])


def margins(scores: np.ndarray) -> np.ndarray:
    """(n,) of `margin` of each of (n, ..., classes) int8 scores."""
    two = np.partition(scores.astype(np.int32), -2, axis=-1)
    return (two[..., -1] - two[..., -2]).reshape(len(scores), -1).min(axis=1)


def first_sure(margins: np.ndarray, least: np.ndarray) -> np.ndarray:
    """(n,) place of the model of a cascade that answers: the first that is sure, else the last.

    Args:
        margins: (models, n), in any unit. least: (models - 1,), in the same.
    """
    sure = margins >= np.array([*least, -np.inf])[:, None]
    return sure.argmax(axis=0)


def picked(scores: np.ndarray, threshold: int) -> int:
    """The model that (models,) int8 scores pick: the first best, or of one whether it is high."""
    flat = scores.reshape(-1)
    if flat.size == 1:
        return int(flat[0] >= threshold)
    return int(np.flatnonzero(flat == flat.max())[0])


def averaged(scores: Sequence[np.ndarray], common: CommonScale) -> np.ndarray:
    """The mean of int8 scores, (..., classes) a model, on the common scale; halves go up."""
    total = sum(_products(each, place, common) for place, each in enumerate(scores))
    return np.clip(_steps(total) + common.zero_point, -128, 127).astype(np.int8)


def rescaled(scores: np.ndarray, place: int, common: CommonScale) -> np.ndarray:
    """One model's int8 scores (..., classes) on the common scale; halves go up.

    Rounding may bring a lower score up to the best. It then goes a step below it: what is decided
    stays what the model decided.
    """
    steps = _steps(_products(scores, place, common)) + common.zero_point
    steps = np.clip(steps, -128, 127)
    best = scores == scores.max(axis=-1, keepdims=True)
    lower = ~best.all(axis=-1, keepdims=True)
    top = steps.max(axis=-1, keepdims=True)
    top = np.where(lower, np.maximum(top, -127), top)
    return np.where(best, top, np.minimum(steps, top - 1)).astype(np.int8)


def _products(scores: np.ndarray, place: int, common: CommonScale) -> np.ndarray:
    return (scores.astype(np.int32) - common.zero_points[place]) * common.factors[place]


def _steps(products: np.ndarray) -> np.ndarray:
    """Divided by 2^20, as C does it without shifting a negative number."""
    shifted = products + (_BELOW << FACTOR_BITS) + (1 << (FACTOR_BITS - 1))
    return (shifted >> FACTOR_BITS) - _BELOW


def real_answers(
    composition: Composition, outputs: Mapping[str, TensorSpec], scores: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The rule over real scores, such as Keras's, to hold the int8 product against.

    Args:
        outputs: model -> its int8 output. A margin of steps is so many times its scale, less half
            a step: a margin of real scores that int8 would round up to it is enough.
        scores: model -> (n, ..., classes) real scores of the same windows.

    Returns:
        (n, ..., classes) float32 scores, and (n,) which model answered, or `ALL`.
    """
    stacked = np.stack([np.asarray(scores[name], np.float32) for name in composition.models])
    n = stacked.shape[1]
    if composition.rule == "average":
        return stacked.mean(axis=0), np.full(n, ALL)
    if composition.picks:
        spec, asked = outputs[composition.selector], scores[composition.selector].reshape(n, -1)
        least = (composition.threshold - 0.5 - spec.zero_point) * spec.scale
        one = asked.shape[1] == 1
        who = (asked[:, 0] >= least).astype(int) if one else _first_best(asked)
    else:
        two = np.partition(stacked, -2, axis=-1)
        apart = (two[..., -1] - two[..., -2]).reshape(len(stacked), n, -1).min(axis=-1)
        least = [
            (steps - 0.5) * outputs[name].scale
            for name, steps in zip(composition.models, composition.least_margins, strict=False)
        ]
        who = first_sure(apart, np.array(least))
    return stacked[who, np.arange(n)], who


def _first_best(rows: np.ndarray) -> np.ndarray:
    best = rows == rows.max(axis=1, keepdims=True)
    return np.cumsum(~np.maximum.accumulate(best, axis=1), axis=1)[:, -1]


def joined_inputs(
    models: Sequence[tuple[str, Sequence[TensorSpec], Sequence[str]]],
) -> tuple[tuple[TensorSpec, ...], tuple[tuple[int, ...], ...]]:
    """The inputs of several models, each once, and which of them feeds each input of each model.

    Models that quantise one window input alike share it. Where they do not, each has its own, named
    after the model too: every model gets exactly its own int8 values.

    Args:
        models: name, inputs, and the window input that feeds each.
    """
    joined: list[TensorSpec] = []
    feeds = []
    for model, specs, windows in models:
        own = []
        for spec, window in zip(specs, windows, strict=True):
            wanted = (window, spec.shape, spec.dtype, spec.scale, spec.zero_point)
            place = next((i for i, other in enumerate(joined) if _facts(other) == wanted), None)
            if place is None:
                place = len(joined)
                taken = any(other.window == window for other in joined)
                name = f"{window} of {model}" if taken else window
                joined.append(
                    TensorSpec(name, spec.shape, spec.dtype, spec.scale, spec.zero_point, window)
                )
            own.append(place)
        feeds.append(tuple(own))
    return tuple(joined), tuple(feeds)


def _facts(spec: TensorSpec) -> tuple[object, ...]:
    return spec.window, spec.shape, spec.dtype, spec.scale, spec.zero_point
