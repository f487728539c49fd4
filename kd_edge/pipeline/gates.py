"""Gates: limits of the recipe that fail a build, and findings that do not.

A gate states what was measured with its interval. It fails where the interval excludes the limit:
what chance alone may have done fails no build.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.formats import REFERENCE, SHIPPED
from kd_edge.convert.lint import attribute_loss, collect_activations, lint
from kd_edge.examples import spread_evenly
from kd_edge.pipeline.bundle import BundledModel, Manifest
from kd_edge.pipeline.composed_proof import real_scores, runtimes_of
from kd_edge.pipeline.kept_windows import StoredWindows
from kd_edge.pipeline.shipped import shipped
from kd_edge.recipe import Proof, Recipe
from kd_edge.report import words
from kd_edge.report.tree import Finding, Gate
from kd_edge.runtimes.composed import open_product
from kd_edge.runtimes.interpreter import Interpreter, run_windows
from kd_edge.runtimes.registry import ORACLE, RUNTIMES, open_interpreter
from kd_edge.runtimes.results import KERAS, Parity, Side
from kd_edge.tasks import find_task
from kd_edge.tasks.figures import Interval
from kd_edge.tasks.intervals import difference_interval, exact_interval

# Windows on which lints look at every layer.
LOOKED_AT = 32
# A gate on agreement that misses so much more than its limit says so: see `blind_spot`.
_SAID_FROM = 0.03

_FLOAT = Side(KERAS, KERAS)
_BOARD = Side(SHIPPED, ORACLE)


@dataclass(frozen=True)
class Gates:
    """What the limits found: every gate, findings, and failures that end the build with 6."""

    gates: tuple[Gate, ...]
    findings: tuple[Finding, ...]
    failures: tuple[KdEdgeError, ...]

    def to_json(self) -> dict:
        """As JSON can hold it."""
        return {
            "gates": [asdict(gate) for gate in self.gates],
            "findings": [asdict(finding) for finding in self.findings],
            "failures": [failure.to_json() for failure in self.failures],
        }

    @classmethod
    def from_json(cls, kept: dict) -> Gates:
        """What `to_json` gave."""
        return cls(
            TypeAdapter(tuple[Gate, ...]).validate_python(kept["gates"]),
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

    A composition is held like a student, and its models' lints are its own.

    Args:
        held_out: windows that no model learned from, with Keras's answers on them.
    """
    gates: list[Gate] = []
    findings: list[Finding] = []
    failures: list[KdEdgeError] = []

    def judge(held: _Held, lints: list[Finding], *, is_product: bool) -> None:
        judged = [*held.accuracy(), *held.agreement(parity)]
        if is_product:
            judged += held.size()
            failures.extend(f.error for f in judged if f.error and f.gate.verdict == "failed")
        gates.extend(found.gate for found in judged)
        findings.extend([*lints, *(_as_finding(found) for found in judged if found.error)])

    for model in manifest.models:
        if model.role != "student":
            continue
        held = _Held(recipe, _model(model, folder, held_out), held_out)
        lints = held.lints()
        if model in manifest.members:
            failures += [_as_error(finding) for finding in lints if finding.severity == "error"]
        judge(held, lints, is_product=model.name == manifest.product)
    if manifest.composition is not None:
        judge(
            _Held(recipe, _composition(manifest, folder, held_out), held_out), [], is_product=True
        )
    return Gates(tuple(gates), tuple(findings), tuple(failures))


def blind_spot(proof: Proof, n_windows: int) -> str | None:
    """A sentence where the parity windows are so few that the gate would miss a clear loss.

    Args:
        n_windows: that the dataset has; the parity windows are taken from all of them.
    """
    compared = min(proof.parity_windows, n_windows)
    fewest = _fewest_to_fail(compared, proof.min_agreement)
    if fewest == 1 or fewest / compared <= 1 - proof.min_agreement + _SAID_FROM:
        return None
    return (
        f"Runtimes are compared on {words.plural(compared, 'window')}: with proof.min_agreement = "
        f"{proof.min_agreement:g} the build fails from {fewest} that differ on, since fewer may be "
        "chance. Set proof.parity_windows = 256 or more to see smaller losses."
    )


def _fewest_to_fail(n: int, limit: float) -> int:
    """The smallest number of differing windows whose interval excludes the limit."""
    failing = (k for k in range(1, n + 1) if exact_interval(n - k, n).high < limit)
    return next(failing, n + 1)


@dataclass(frozen=True)
class _Judged:
    """A gate, and what to say of it where there is something to say."""

    gate: Gate
    error: KdEdgeError | None


@dataclass(frozen=True, eq=False)
class _Form:
    """What is held: a student, or the composition.

    Attributes:
        inputs: window inputs that it takes. runtimes: those that run it in int8, installed.
        open: runtime -> interpreter. float_logits: part -> Keras's; of a student that was
            fine-tuned behind int8's rounding, those of the student that it started from.
        files: its int8 files.
        reference: the float file of one model, to tell which tensors lose; None of several.
    """

    name: str
    inputs: tuple[str, ...]
    runtimes: tuple[str, ...]
    open: Callable[[str], Interpreter]
    float_logits: dict[str, np.ndarray]
    files: tuple[Path, ...]
    reference: Path | None


def _model(model: BundledModel, folder: Path, held_out: StoredWindows) -> _Form:
    int8 = model.format(SHIPPED)
    path = folder / int8.file
    return _Form(
        name=model.name,
        inputs=model.inputs,
        runtimes=int8.runtimes_here,
        open=lambda runtime: open_interpreter(runtime, path),
        float_logits=held_out.logits[model.aware_of or model.name],
        files=(path,),
        reference=folder / model.format(REFERENCE).file,
    )


def _composition(manifest: Manifest, folder: Path, held_out: StoredWindows) -> _Form:
    product = shipped(folder, manifest, built=False)
    return _Form(
        name=manifest.product,
        inputs=manifest.product_inputs,
        runtimes=runtimes_of(manifest),
        open=lambda runtime: open_product(product, runtime),
        float_logits={name: both[0] for name, both in real_scores(product, held_out).items()},
        files=tuple(member.path for member in product.members),
        reference=None,
    )


class _Held:
    """One student, or the composition, held against the limits."""

    def __init__(self, recipe: Recipe, form: _Form, held_out: StoredWindows):
        self._recipe = recipe
        self._task = find_task(recipe.task)
        self._form = form
        parts = {name: part.only(form.inputs) for name, part in held_out.parts.items()}
        self._parts = parts
        self._recordings = np.concatenate([part.groups.recording for part in parts.values()])
        # Side -> how far it has each held-out example right.
        self._right = {_FLOAT: self._are_right(form.float_logits)}
        for runtime in form.runtimes:
            interpreter = form.open(runtime)
            answers = {name: run_windows(interpreter, part).logits for name, part in parts.items()}
            self._right[Side(SHIPPED, runtime)] = self._are_right(answers)

    def lints(self) -> list[Finding]:
        """What the int8 file's lints find."""
        (int8,) = self._form.files
        return [
            Finding(f.code, f.severity, f.message, f"{int8.name}: {f.where}", f.hint)
            for f in lint(int8, activations=collect_activations(int8, self._some_windows()))
        ]

    def accuracy(self) -> Iterator[_Judged]:
        """int8 on every runtime against float, over all held-out windows."""
        for side in self._right:
            if side == _FLOAT:
                continue
            gate = self._loss(side, _FLOAT, self._recipe.conversion.max_drop_points)
            beyond = gate.verdict in ("unsure", "failed")
            yield _Judged(gate, self._accuracy_error(gate) if beyond else None)

    def agreement(self, parity: Sequence[Parity]) -> Iterator[_Judged]:
        """How often an int8 runtime gives TFLite Micro's class, and the accuracy it costs."""
        for found in parity:
            mine = (found.kind, found.model, found.right) == ("runtimes", self._form.name, _BOARD)
            if not mine or found.left.format != SHIPPED:
                continue
            limit = self._recipe.proof.min_agreement
            same = found.n_windows - found.n_differing
            bounds = exact_interval(same, found.n_windows)
            gate = Gate(
                "KD_GATE_PARITY", self._form.name, found.left, found.right,
                value=100 * found.class_agreement,
                interval=_scaled(bounds, 100),
                limit=100 * limit,
                unit="%",
                n_windows=found.n_windows,
                verdict=_verdict(found.class_agreement >= limit, bounds.high < limit),
            )  # fmt: skip
            loss = None
            if found.left in self._right and _BOARD in self._right:
                loss = self._loss(found.left, _BOARD, None)
                yield _Judged(loss, None)
            differs = found.n_differing > 0
            yield _Judged(gate, self._parity_error(gate, found, loss) if differs else None)

    def size(self) -> Iterator[_Judged]:
        """Bytes of the int8 file."""
        limit = self._recipe.conversion.max_int8_bytes
        n_bytes = sum(path.stat().st_size for path in self._form.files)
        if limit is None:
            return
        held = n_bytes <= limit
        gate = Gate(
            "KD_GATE_SIZE", self._form.name, _BOARD, None, value=n_bytes, interval=None,
            limit=limit, unit="B", n_windows=None, verdict=_verdict(held, not held),
        )  # fmt: skip
        one = len(self._form.files) == 1
        error = KdEdgeError(
            "KD_GATE_SIZE",
            f"{self._names()} {'has' if one else 'have'} {n_bytes:,} bytes, more than {limit:,}",
            where="conversion.max_int8_bytes",
            hint="choose a narrower student in [[students]] options",
        )
        yield _Judged(gate, None if held else error)

    def _are_right(self, logits: dict[str, np.ndarray]) -> np.ndarray:
        """(held-out examples,) share of each that is right, 0 to 1."""
        return np.concatenate(
            [self._task.shares_right(logits[n], part.truth) for n, part in self._parts.items()]
        )

    def _some_windows(self) -> dict[str, np.ndarray]:
        """A few windows of the largest held-out part, enough to see every layer at work."""
        largest = max(self._parts.values(), key=len)
        chosen = spread_evenly(largest.strata, largest.groups.subject, LOOKED_AT, seed=0)
        return largest.take(chosen).inputs

    def _loss(self, tested: Side, against: Side, limit: float | None) -> Gate:
        """Points of accuracy that one side loses against another; negative where it gains."""
        left, right = self._right[against], self._right[tested]
        bounds = _scaled(difference_interval(left, right, self._recordings), 100)
        points = 100 * float(np.mean(left) - np.mean(right))
        verdict = "stated" if limit is None else _verdict(points <= limit, bounds.low > limit)
        return Gate(
            "KD_GATE_ACCURACY", self._form.name, tested, against, value=points, interval=bounds,
            limit=limit, unit="points", n_windows=len(left), verdict=verdict,
        )  # fmt: skip

    def _accuracy_error(self, gate: Gate) -> KdEdgeError:
        left, right = (100 * float(np.mean(self._right[s])) for s in (_FLOAT, gate.tested))
        return KdEdgeError(
            "KD_GATE_ACCURACY",
            f"{self._form.name} loses {gate.value:.2f} points in {words.side(gate.tested)}, more "
            f"than {gate.limit:g} ({left:.2f} % to {right:.2f} %){_uncertainty(gate)}",
            where=self._noisiest(),
            hint="calibrate on more windows, or raise conversion.max_drop_points and say so",
        )

    def _names(self) -> str:
        return " + ".join(path.name for path in self._form.files)

    def _noisiest(self) -> str:
        """Where the loss comes from."""
        if self._form.reference is None:
            return "the gates of its models say which of them loses"
        worst = attribute_loss(self._form.reference, self._form.files[0], self._some_windows())
        tensors = "; ".join(f"{t.name} ({t.sqnr_db:.1f} dB)" for t in worst[:4])
        return f"tensors with the most quantisation noise: {tensors}"

    def _parity_error(self, gate: Gate, parity: Parity, loss: Gate | None) -> KdEdgeError:
        lost = "" if loss is None else (
            f" On {words.plural(loss.n_windows, 'held-out window')} {words.lost(loss)}."
        )  # fmt: skip
        least = f"proof.min_agreement = {gate.limit / 100:g}"
        judged = "holds" if gate.verdict == "held" else "does not hold"
        return KdEdgeError(
            "KD_GATE_PARITY",
            f"{words.side(parity.left)} and {words.side(parity.right)} give different classes in "
            f"{parity.n_differing} of {words.plural(parity.n_windows, 'window')}: "
            f"{words.percent(parity.class_agreement)} agree, which {judged} {least}"
            f"{_uncertainty(gate)}.{lost}",
            where=f"{self._names()}: {_first_difference(parity)}",
            hint="TFLite Micro is the oracle for a board. A device that runs the file in "
            f"{RUNTIMES[parity.left.runtime].title} gives its answers; see the lints of this file",
        )


def _verdict(held: bool, excluded: bool) -> str:
    if held:
        return "held"
    return "failed" if excluded else "unsure"


def _scaled(interval: Interval, factor: float) -> Interval:
    return replace(interval, low=factor * interval.low, high=factor * interval.high)


def _uncertainty(gate: Gate) -> str:
    """Why a value beyond the limit fails no build; '' where it does, or where it is within."""
    if gate.verdict != "unsure":
        return ""
    return f"; the interval {words.bounds(gate)} includes the limit: it may be chance"


def _first_difference(parity: Parity) -> str:
    layer = parity.first_difference
    if layer is None:
        return parity.note or "no layer differs by itself"
    return (
        f"the first layer that differs is operator {layer.index}, {layer.operator} {layer.tensor!r}"
    )


def _as_finding(judged: _Judged) -> Finding:
    error = judged.error
    severity = "error" if judged.gate.verdict == "failed" else "warning"
    return Finding(error.code, severity, error.message, error.where or "", error.hint or "")


def _as_error(finding: Finding) -> KdEdgeError:
    return KdEdgeError("KD_GATE_LINT", finding.message, where=finding.where, hint=finding.hint)
