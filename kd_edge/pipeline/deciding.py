"""Confidence, rejection and decisions of a bundle's int8 product: fitted, then measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from kd_edge.base.decision import NOBODY, ONE, DecisionRule, sureness
from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.files import sha256_file
from kd_edge.base.quantisation import dequantize
from kd_edge.examples import Examples, as_worn, spread_evenly
from kd_edge.pipeline.answers import VALIDATION, VALIDATION_FILE, KerasAnswers
from kd_edge.pipeline.bundle import Manifest, built_report
from kd_edge.pipeline.context import Context
from kd_edge.pipeline.dataset import Dataset, load_dataset
from kd_edge.pipeline.kept_windows import PARITY_PART, WINDOWS_FILE
from kd_edge.pipeline.shipped import shipped
from kd_edge.pipeline.stages import key_of
from kd_edge.pipeline.streams import has_rest, join_recordings, score_streams
from kd_edge.recipe import Decision, Recipe
from kd_edge.report.decision_tree import (
    Calibrated,
    Covered,
    DecisionSection,
    EventPoint,
    StreamEvents,
    Unknown,
)
from kd_edge.runtimes.composed import open_product
from kd_edge.runtimes.interpreter import Interpreter, run_windows
from kd_edge.runtimes.registry import ORACLE, available
from kd_edge.signals.recording import RecordingInfo
from kd_edge.tasks.calibration import fit_temperature, measure_calibration, softmax
from kd_edge.tasks.classification import CLASSIFICATION
from kd_edge.tasks.rejection import auroc, least_sureness, measure_coverage

# Windows together, of the curve of accuracy against delay; the recipe's own is one more.
_TOGETHER = (1, 2, 3, 5, 8, 12)
# Training windows of a class that the validation part lacks, for its prototype.
_OF_CLASS = 32
_ALONE = "Recordings give one window each, so there is no stream whose events could be scored."
_JOINED = (
    "Events are of recordings joined one behind the other, person by person; no window lies over a "
    "border."
)
_STRANGE = "Windows of unknown classes stand by themselves: a running normaliser sees them alone."


@dataclass(frozen=True)
class Decided:
    """What was fitted on the validation part, and its figures.

    Attributes:
        rule: for the bundle; None where the recipe asks for none.
    """

    rule: DecisionRule | None
    section: DecisionSection


@dataclass(frozen=True, eq=False)
class Part:
    """Windows with the int8 product's answers.

    Attributes:
        scores: (n, classes) int8.
    """

    windows: Examples
    scores: np.ndarray


_DECIDED = TypeAdapter(Decided)


def decide_over(context: Context, manifest: Manifest, answers: KerasAnswers) -> Decided | None:
    """Fit temperature and thresholds, and measure them; None of other tasks than classification.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: the recipe's rest is no class.
    """
    if manifest.task != CLASSIFICATION.name or not available(ORACLE):
        return None
    recipe, asked = context.recipe, context.recipe.decision
    rest = rest_of(asked, manifest.class_names)
    unknown = _unknown_dataset(context)
    product = shipped(context.out, manifest, built=False)
    key = key_of(
        product.sha256,
        [sha256_file(context.out / file) for file in (WINDOWS_FILE, VALIDATION_FILE)],
        None if asked is None else TypeAdapter(Decision).dump_python(asked, mode="json"),
        recipe.model_dump(mode="json", include={"windows"}),
        [context.data.key, recipe.seed, unknown and unknown.key],
    )

    def make():
        interpreter = open_product(product, ORACLE)
        inputs = manifest.product_inputs

        def asks(windows: Examples) -> Part:
            return Part(windows, run_windows(interpreter, windows.only(inputs)).raw)

        fitted = _Fitted.on(asks(answers.validation.parts[VALIDATION]), interpreter, context, asks)
        tests = {n: asks(w) for n, w in answers.stored.parts.items() if n != PARITY_PART}
        rule = None if asked is None else fitted.rule(asked, rest)
        section = measure_decisions(
            tests,
            fitted.plain,
            rule,
            recipe,
            context.dataset.recordings,
            unknown=_unknown_parts(unknown, tests, context, asks),
            n_fitted=fitted.n_windows,
        )
        return _DECIDED.dump_python(Decided(rule, section), mode="json")

    return _DECIDED.validate_python(context.stages.run("decisions", key, [], make))


def decide_again(
    folder: Path,
    manifest: Manifest,
    recipe: Recipe,
    parts: Mapping[str, Examples],
    recordings: Sequence[RecordingInfo],
) -> DecisionSection | None:
    """A bundle's confidence and decisions on other windows; nothing is fitted.

    Args:
        parts: part -> its windows. recordings: that their `groups.recording` indexes.
    """
    built = built_report(folder, manifest).decisions
    if built is None or manifest.temperature is None or not available(ORACLE):
        return None
    interpreter = open_product(shipped(folder, manifest), ORACLE)
    inputs = manifest.product_inputs
    plain = DecisionRule(
        classes=len(manifest.class_names),
        scale=float(np.float32(interpreter.outputs[0].scale)),
        temperature=manifest.temperature,
    )
    asked = {n: Part(w, run_windows(interpreter, w.only(inputs)).raw) for n, w in parts.items()}
    return measure_decisions(
        asked, plain, manifest.decision, recipe, recordings, unknown={}, n_fitted=built.n_fitted
    )


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
class _Fitted:
    """What the validation part says of the product's scores.

    Attributes:
        plain: temperature and prototypes, without a limit to anything.
        scores: (n, classes) int8 of the validation part. truth: (n,) its classes.
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
    ) -> _Fitted:
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


def measure_decisions(
    parts: Mapping[str, Part],
    plain: DecisionRule,
    rule: DecisionRule | None,
    recipe: Recipe,
    recordings: Sequence[RecordingInfo],
    *,
    unknown: Mapping[str, Part],
    n_fitted: int,
) -> DecisionSection:
    """The figures of parts.

    Args:
        plain: with temperature and prototypes alone. rule: the bundle's; None without one.
        recordings: that the parts' `groups.recording` indexes.
        unknown: part -> windows of unknown classes that stand beside it.
        n_fitted: windows that the temperature was fitted on.
    """
    streams = rule is not None and recipe.windows is not None and recipe.windows.hop_s is not None
    learns = any(each.adapt for each in recipe.front_end.values())
    notes = [_ALONE] if rule is not None and not streams else []
    notes += [_JOINED] if streams else []
    notes += [_STRANGE] if unknown and learns else []
    return DecisionSection(
        temperature=plain.temperature,
        n_fitted=n_fitted,
        unknown_classes=recipe.dataset.unknown_classes,
        calibration=tuple(_calibrated(name, part, plain) for name, part in parts.items()),
        coverage=tuple(_covered(name, part, plain, rule) for name, part in parts.items()),
        unknown=tuple(_unknown(name, parts[name], unknown[name], plain, rule) for name in unknown),
        events=tuple(
            _events(name, part, rule, recipe, recordings) for name, part in parts.items() if streams
        ),
        notes=tuple(notes),
    )


def _logits(part: Part, plain: DecisionRule) -> np.ndarray:
    # The zero point moves all scores alike, which no softmax sees.
    return part.scores * plain.scale


def _calibrated(name: str, part: Part, plain: DecisionRule) -> Calibrated:
    logits, truth = _logits(part, plain), part.windows.truth
    return Calibrated(
        name,
        measure_calibration(logits, truth),
        measure_calibration(logits, truth, plain.temperature),
    )


def _covered(name: str, part: Part, plain: DecisionRule, rule: DecisionRule | None) -> Covered:
    confidence = softmax(_logits(part, plain), plain.temperature).max(axis=1)
    right = CLASSIFICATION.decide(part.scores) == part.windows.truth
    curve = measure_coverage(confidence, right)
    if rule is None:
        return Covered(name, curve, None, None)
    kept = ~sureness(rule, part.scores).rejected(rule)
    accuracy = float(right[kept].mean()) if kept.any() else None
    return Covered(name, curve, float(kept.mean()), accuracy)


def _unknown(
    name: str, known: Part, strange: Part, plain: DecisionRule, rule: DecisionRule | None
) -> Unknown:
    ours, theirs = sureness(plain, known.scores), sureness(plain, strange.scores)
    rejected = [
        None if rule is None else float(sureness(rule, part.scores).rejected(rule).mean())
        for part in (known, strange)
    ]
    return Unknown(
        part=name,
        n_known=len(known.scores),
        n_unknown=len(strange.scores),
        auroc={
            "confidence": auroc(ours.share, theirs.share),
            "margin": auroc(ours.margin, theirs.margin),
            "distance": auroc(-ours.distance, -theirs.distance),
        },
        rejected_known=rejected[0],
        rejected_unknown=rejected[1],
    )


def _events(
    name: str, part: Part, rule: DecisionRule, recipe: Recipe, recordings: Sequence[RecordingInfo]
) -> StreamEvents:
    streams = join_recordings(part.windows, recordings, recipe.windows, rule.rest)
    points = (
        EventPoint(
            together,
            score_streams(
                streams,
                part.scores,
                replace(rule, windows=together),
                tolerance_s=recipe.decision.tolerance_s,
            ),
        )
        for together in sorted({*_TOGETHER, rule.windows})
    )
    return StreamEvents(name, has_rest(part.windows, rule.rest), rule.windows, tuple(points))


def _unknown_dataset(context: Context) -> Dataset | None:
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


def _unknown_parts(
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
