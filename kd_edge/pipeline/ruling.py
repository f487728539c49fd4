"""A decision rule from what the validation part says of an int8 product's scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kd_edge.base.decision import NOBODY, ONE, DecisionRule, sureness
from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.quantisation import dequantize
from kd_edge.examples import Examples, as_worn, spread_evenly
from kd_edge.pipeline.context import Context
from kd_edge.pipeline.dataset import Dataset, load_dataset
from kd_edge.recipe import Decision
from kd_edge.runtimes.interpreter import Interpreter
from kd_edge.tasks.calibration import fit_temperature
from kd_edge.tasks.rejection import least_sureness

# Training windows of a class that the validation part lacks, for its prototype.
_OF_CLASS = 32


@dataclass(frozen=True, eq=False)
class Part:
    """Windows with the int8 product's answers.

    Attributes:
        scores: (n, classes) int8.
    """

    windows: Examples
    scores: np.ndarray


def rest_of(asked: Decision | None, class_names: Sequence[str]) -> int:
    """The class of rest, or `NOBODY`.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: there is no such class.
    """
    if asked is None or asked.rest is None:
        return NOBODY
    if asked.rest not in class_names:
        raise KdEdgeError(
            "KD_UNKNOWN_NAME",
            f"no class is called '{asked.rest}'{nearest(asked.rest, class_names)}",
            where="decision.rest",
            hint=f"classes: {', '.join(class_names[:20])}",
        )
    return list(class_names).index(asked.rest)


@dataclass(frozen=True, eq=False)
class Fitted:
    """What the validation part says of the product's scores.

    Attributes:
        plain: temperature and prototypes, without a limit to anything.
        scores: (n, classes) int8 of the validation part.
        truth: (n,) its classes.
    """

    plain: DecisionRule
    scores: np.ndarray
    truth: np.ndarray

    @classmethod
    def on(
        cls,
        validation: Part,
        interpreter: Interpreter,
        context: Context,
        asks: Callable[[Examples], Part],
    ) -> Fitted:
        spec, truth = interpreter.outputs[0], validation.windows.truth
        logits = dequantize(validation.scores, spec.scale, spec.zero_point)
        n_classes = len(validation.windows.class_names)
        plain = DecisionRule(
            classes=n_classes,
            scale=float(np.float32(spec.scale)),
            temperature=fit_temperature(logits, truth, validation.windows.groups.recording),
            prototypes=_prototypes(validation, context, asks),
            most_distance=2**32 - 1,
        )
        return cls(plain, validation.scores, truth)

    @property
    def n_windows(self) -> int:
        return len(self.truth)

    def rule(self, asked: Decision, rest: int) -> DecisionRule:
        """The rule that a recipe asks for, its thresholds by the rightly answered windows."""
        found = sureness(self.plain, self.scores)
        right = found.best == self.truth
        share = asked.false_rejections / max(len(asked.reject_by), 1)

        def least(values: np.ndarray) -> int:
            return least_sureness(values[right], share) if right.any() else 0

        limits: dict[str, object] = {"prototypes": (), "most_distance": 0}
        if "confidence" in asked.reject_by:
            limits["least_share"] = least(found.share)
        if "margin" in asked.reject_by:
            limits["least_margin"] = least(found.margin)
        if "distance" in asked.reject_by:
            most = min(-least(-found.distance), 2**32 - 1)
            limits |= {"prototypes": self.plain.prototypes, "most_distance": most}
        return replace(
            self.plain,
            windows=asked.windows,
            combine=asked.combine,
            enter=round(asked.enter * ONE),
            leave=round(asked.leave * ONE),
            least_windows=asked.least_windows,
            refractory_windows=asked.refractory_windows,
            rest=rest,
            **limits,
        )


def _prototypes(
    validation: Part, context: Context, asks: Callable[[Examples], Part]
) -> tuple[tuple[int, ...], ...]:
    """The mean scores of each class's windows, rounded; of training windows where it has none."""
    parts = [validation]
    n_classes = len(validation.windows.class_names)
    lacking = np.setdiff1d(np.arange(n_classes), validation.windows.truth)
    if len(lacking):
        training = context.data.training
        own = np.flatnonzero(np.isin(training.truth, lacking))
        few = training.take(own)
        chosen = spread_evenly(
            few.truth, few.groups.subject, _OF_CLASS * len(lacking), context.recipe.seed
        )
        parts.append(asks(few.take(chosen).in_memory()))
    truth = np.concatenate([part.windows.truth for part in parts])
    scores = np.concatenate([part.scores for part in parts]).astype(np.float64)
    rows = (np.rint(scores[truth == label].mean(axis=0)) for label in range(n_classes))
    return tuple(tuple(int(value) for value in row) for row in rows)


def unknown_dataset(context: Context) -> Dataset | None:
    """The recordings of unknown classes, cut as the others are."""
    recipe = context.recipe
    names = recipe.dataset.unknown_classes
    if not names:
        return None
    dataset = recipe.dataset.model_copy(update={"classes": names, "unknown_classes": ()})
    return load_dataset(
        recipe.model_copy(update={"dataset": dataset}),
        context.source,
        store=context.stages.store,
        class_names=names,
        progress=context.watch.step,
    )


def unknown_parts(
    unknown: Dataset | None,
    tests: Mapping[str, Part],
    context: Context,
    asks: Callable[[Examples], Part],
) -> dict[str, Part]:
    """Beside each test part the unknown windows of its people and days."""
    if unknown is None:
        return {}
    windows = as_worn(unknown.examples, context.data.front_end, unknown.recordings)
    whole = asks(windows)
    found = {}
    for name, part in tests.items():
        there = set(_wearings(part.windows))
        own = np.array([wearing in there for wearing in _wearings(windows)])
        if own.any():
            found[name] = Part(windows.take(np.flatnonzero(own)), whole.scores[own])
    return found


def _wearings(windows: Examples) -> list[tuple[str, str]]:
    groups = windows.groups
    return list(zip(groups.subject.tolist(), groups.session.tolist(), strict=True))
