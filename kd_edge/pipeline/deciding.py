"""Confidence, rejection and decisions of a bundle's int8 product: fitted, then measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from kd_edge.base.decision import DecisionRule, sureness
from kd_edge.base.files import sha256_file
from kd_edge.examples import Examples
from kd_edge.pipeline.answers import VALIDATION, VALIDATION_FILE, KerasAnswers
from kd_edge.pipeline.bundle import Manifest, built_report
from kd_edge.pipeline.context import Context
from kd_edge.pipeline.kept_windows import PARITY_PART, WINDOWS_FILE
from kd_edge.pipeline.ruling import Fitted, Part, rest_of, unknown_dataset, unknown_parts
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
from kd_edge.runtimes.interpreter import run_windows
from kd_edge.runtimes.registry import ORACLE, available
from kd_edge.signals.recording import RecordingInfo
from kd_edge.tasks.calibration import measure_calibration, softmax
from kd_edge.tasks.classification import CLASSIFICATION
from kd_edge.tasks.events import EventScore
from kd_edge.tasks.rejection import auroc, measure_coverage

# Windows together, of the curve of accuracy against delay; the recipe's own is one more.
_TOGETHER = (1, 2, 3, 5, 8, 12)
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


_DECIDED = TypeAdapter(Decided)


def decide_over(context: Context, manifest: Manifest, answers: KerasAnswers) -> Decided | None:
    """Fit temperature and thresholds, and measure them.

    None of other tasks than classification, and where models learn from the validation part.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: the recipe's rest is no class.
    """
    if manifest.task != CLASSIFICATION.name or not available(ORACLE):
        return None
    if not context.data.plain.validates:
        return None
    recipe, asked = context.recipe, context.recipe.decision
    rest = rest_of(asked, manifest.class_names)
    unknown = unknown_dataset(context)
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

        fitted = Fitted.on(asks(answers.validation.parts[VALIDATION]), interpreter, context, asks)
        tests = {n: asks(w) for n, w in answers.stored.parts.items() if n != PARITY_PART}
        rule = None if asked is None else fitted.rule(asked, rest)
        section = measure_decisions(
            tests,
            fitted.plain,
            rule,
            recipe,
            context.dataset.recordings,
            unknown=unknown_parts(unknown, tests, context, asks),
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


def sure_enough(part: Part, plain: DecisionRule) -> tuple[np.ndarray, np.ndarray]:
    """(n,) float64 confidence in the decision of each window, and (n,) bool whether it is right."""
    confidence = softmax(_logits(part, plain), plain.temperature).max(axis=1)
    return confidence, CLASSIFICATION.decide(part.scores) == part.windows.truth


def recipe_events(
    part: Part, rule: DecisionRule, recipe: Recipe, recordings: Sequence[RecordingInfo]
) -> EventScore | None:
    """Events of a part's streams by the recipe's rule; None if a recording gives one window."""
    if recipe.windows is None or recipe.windows.hop_s is None:
        return None
    streams = join_recordings(part.windows, recordings, recipe.windows, rule.rest)
    return score_streams(streams, part.scores, rule, tolerance_s=recipe.decision.tolerance_s)


def _covered(name: str, part: Part, plain: DecisionRule, rule: DecisionRule | None) -> Covered:
    confidence, right = sure_enough(part, plain)
    curve = measure_coverage(confidence, right)
    if rule is None:
        return Covered(name, curve, None, None)
    kept = ~sureness(rule, part.scores).rejected(rule)
    accuracy = float(right[kept].mean()) if kept.any() else None
    return Covered(name, curve, float(kept.mean()), accuracy)


def told_apart(known: Part, strange: Part, plain: DecisionRule) -> dict[str, float]:
    """Reason to reject -> how often a known window is surer than an unknown one, 0 to 1."""
    ours, theirs = sureness(plain, known.scores), sureness(plain, strange.scores)
    return {
        "confidence": auroc(ours.share, theirs.share),
        "margin": auroc(ours.margin, theirs.margin),
        "distance": auroc(-ours.distance, -theirs.distance),
    }


def _unknown(
    name: str, known: Part, strange: Part, plain: DecisionRule, rule: DecisionRule | None
) -> Unknown:
    rejected = [
        None if rule is None else float(sureness(rule, part.scores).rejected(rule).mean())
        for part in (known, strange)
    ]
    return Unknown(
        part=name,
        n_known=len(known.scores),
        n_unknown=len(strange.scores),
        auroc=told_apart(known, strange, plain),
        rejected_known=rejected[0],
        rejected_unknown=rejected[1],
    )


def _events(
    name: str, part: Part, rule: DecisionRule, recipe: Recipe, recordings: Sequence[RecordingInfo]
) -> StreamEvents:
    points = (
        EventPoint(
            together, recipe_events(part, replace(rule, windows=together), recipe, recordings)
        )
        for together in sorted({*_TOGETHER, rule.windows})
    )
    return StreamEvents(name, has_rest(part.windows, rule.rest), rule.windows, tuple(points))
