"""Gates: limits of the recipe that fail a build, and findings that do not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from kd_edge.convert.lint import attribute_loss, collect_activations, lint
from kd_edge.errors import KdEdgeError
from kd_edge.pipeline.bundle import BundledModel, Manifest, StoredWindows
from kd_edge.pipeline.proof import pooled_accuracy
from kd_edge.recipe import Proof, Recipe
from kd_edge.report import words
from kd_edge.report.tree import Finding
from kd_edge.runtimes.registry import open_session
from kd_edge.runtimes.results import Parity
from kd_edge.runtimes.session import run_windows
from kd_edge.windows import spread_evenly

# Windows on which lints look at every layer.
LOOKED_AT = 32


@dataclass(frozen=True)
class Gates:
    """What the limits found: findings for the report, and failures that end the build with 6."""

    findings: tuple[Finding, ...]
    failures: tuple[KdEdgeError, ...]

    def to_json(self) -> dict:
        """As JSON can hold it."""
        return {
            "findings": [asdict(finding) for finding in self.findings],
            "failures": [failure.to_json() for failure in self.failures],
        }

    @classmethod
    def from_json(cls, kept: dict) -> Gates:
        """What `to_json` gave."""
        return cls(
            tuple(Finding(**finding) for finding in kept["findings"]),
            tuple(
                KdEdgeError(f["code"], f["message"], where=f["where"], hint=f["hint"])
                for f in kept["failures"]
            ),
        )


def check_gates(
    recipe: Recipe,
    manifest: Manifest,
    folder: Path,
    *,
    held_out: StoredWindows,
    parity: Sequence[Parity],
) -> Gates:
    """Hold every student against the recipe's limits; only the product's failures end a build.

    Args:
        held_out: windows of the validation and test parts, with Keras's answers on them.
    """
    findings: list[Finding] = []
    failures: list[KdEdgeError] = []
    for model in manifest.models:
        if model.role != "student":
            continue
        windows = _some_windows(model, held_out)
        found = _lints(folder, model, windows)
        problems = [
            *_accuracy(recipe, model, folder, held_out, windows),
            *_parity(recipe, model, parity),
        ]
        if model.name == manifest.product:
            problems += _size(recipe, model, folder)
            failures += [*problems, *(_as_error(f) for f in found if f.severity == "error")]
        findings += [*found, *(_as_finding(problem) for problem in problems)]
    return Gates(tuple(findings), tuple(failures))


def too_few_for_agreement(proof: Proof, n_windows: int) -> str | None:
    """A sentence where the parity windows are so few that a single one decides the gate.

    Args:
        n_windows: that the dataset has; the parity windows are taken from all of them.
    """
    compared = min(proof.parity_windows, n_windows)
    if proof.min_agreement == 1 or compared * (1 - proof.min_agreement) > 1 - 1e-9:
        return None
    enough = math.ceil(1 / (1 - proof.min_agreement) - 1e-9)
    return (
        f"Runtimes are compared on {words.plural(compared, 'window')}: with proof.min_agreement = "
        f"{proof.min_agreement:g} a single one that differs fails the build; {enough} or more "
        "would let one differ."
    )


def _some_windows(model: BundledModel, held_out: StoredWindows) -> dict[str, np.ndarray]:
    """A few windows of the largest held-out part, enough to see every layer at work."""
    largest = max(held_out.parts.values(), key=len)
    chosen = spread_evenly(largest.labels, largest.subjects, LOOKED_AT, seed=0)
    return largest.take(chosen).only(model.inputs).inputs


def _lints(folder: Path, model: BundledModel, windows: dict[str, np.ndarray]) -> list[Finding]:
    path = folder / model.format("int8").file
    return [
        Finding(f.code, f.severity, f.message, f"{path.name}: {f.where}", f.hint)
        for f in lint(path, activations=collect_activations(path, windows))
    ]


def _accuracy(
    recipe: Recipe,
    model: BundledModel,
    folder: Path,
    held_out: StoredWindows,
    windows: dict[str, np.ndarray],
) -> list[KdEdgeError]:
    """int8 against float over all held-out windows, in percentage points."""
    limit = recipe.conversion.max_drop_points
    int8 = folder / model.format("int8").file
    session = open_session("tflm", int8)
    parts = {name: part.only(model.inputs) for name, part in held_out.parts.items()}
    answers = {name: run_windows(session, part).logits for name, part in parts.items()}
    float_accuracy = pooled_accuracy(held_out.logits[model.name], parts)
    int8_accuracy = pooled_accuracy(answers, parts)
    drop = 100 * (float_accuracy - int8_accuracy)
    if drop <= limit:
        return []
    worst = attribute_loss(folder / model.format("float32").file, int8, windows)
    tensors = "; ".join(f"{t.name} ({t.sqnr_db:.1f} dB)" for t in worst[:4])
    return [
        KdEdgeError(
            "KD_GATE_ACCURACY",
            f"{model.name} loses {drop:.2f} points in int8, more than {limit:g} "
            f"({100 * float_accuracy:.2f} % to {100 * int8_accuracy:.2f} %)",
            where=f"tensors with the most quantisation noise: {tensors}",
            hint="calibrate on more windows, or raise conversion.max_drop_points and say so",
        )
    ]


def _parity(recipe: Recipe, model: BundledModel, parity: Sequence[Parity]) -> list[KdEdgeError]:
    int8 = f"{model.format('int8').file} "
    return [
        KdEdgeError(
            "KD_GATE_PARITY",
            f"{p.left} and {p.right} give different classes in "
            f"{round(p.n_windows * (1 - p.class_agreement))} of "
            f"{words.plural(p.n_windows, 'window')}: "
            f"{words.percent(p.class_agreement)} agree, and proof.min_agreement asks for "
            f"{100 * recipe.proof.min_agreement:g} %",
            where=_first_difference(p),
            hint="see the lints of this file; TFLite Micro is the oracle for a board",
        )
        for p in parity
        if p.kind == "runtimes"
        and p.left.startswith(int8)
        and p.class_agreement < recipe.proof.min_agreement
    ]


def _first_difference(parity: Parity) -> str:
    layer = parity.first_difference
    if layer is None:
        return parity.note or "no layer differs by itself"
    return (
        f"the first layer that differs is operator {layer.index}, {layer.operator} {layer.tensor!r}"
    )


def _size(recipe: Recipe, model: BundledModel, folder: Path) -> list[KdEdgeError]:
    limit = recipe.conversion.max_int8_bytes
    path = folder / model.format("int8").file
    if limit is None or path.stat().st_size <= limit:
        return []
    return [
        KdEdgeError(
            "KD_GATE_SIZE",
            f"{path.name} has {path.stat().st_size:,} bytes, more than {limit:,}",
            where="conversion.max_int8_bytes",
            hint="choose a narrower student in [[students]] options",
        )
    ]


def _as_finding(error: KdEdgeError) -> Finding:
    return Finding(error.code, "error", error.message, error.where or "", error.hint or "")


def _as_error(finding: Finding) -> KdEdgeError:
    return KdEdgeError("KD_GATE_LINT", finding.message, where=finding.where, hint=finding.hint)
