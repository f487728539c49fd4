"""A made-up report for the report's own tests: every figure in it is invented."""

from __future__ import annotations

import math
import random

from gallery_samples import gallery

from kd_edge.measure.results import Arena, Latency, LayerCost, Size
from kd_edge.report.decision_tree import (
    Calibrated,
    Covered,
    DecisionSection,
    EventPoint,
    StreamEvents,
    Unknown,
)
from kd_edge.report.selection_tree import (
    Against,
    CascadeCurve,
    CurvePoint,
    Selection,
    Way,
    WayFigure,
)
from kd_edge.report.tree import (
    SCHEMA_VERSION,
    Curve,
    Finding,
    FlashSection,
    FoldResult,
    Gate,
    Learnt,
    Part,
    Provenance,
    Report,
    Row,
    SampleWindow,
)
from kd_edge.runtimes.results import LayerDifference, Parity, Side
from kd_edge.tasks.calibration import Calibration
from kd_edge.tasks.events import EventScore
from kd_edge.tasks.figures import Accuracy, GroupAccuracy, Interval
from kd_edge.tasks.rejection import Coverage, CoveragePoint

SUBJECTS = ("S1", "S2", "S3", "S4", "S5")
HOST = "Invented CPU, 2 cores, Linux"
HONEST = "subject S5 (never seen)"
LEAKY = "random split"
LEAK = "same subjects and sessions on both sides"
PRODUCT = "tcn-student"
KERAS, FLOAT_LITERT = Side("keras", "keras"), Side("float32", "litert")
INT8_LITERT, INT8_TFLM = Side("int8", "litert"), Side("int8", "tflm")


def wilson(right: int, total: int) -> Interval:
    z = 1.96
    share = right / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    half /= 1 + z * z / total
    return Interval(max(0.0, middle - half), min(1.0, middle + half), 0.95, "Wilson")


def accuracy(
    classes: tuple[str, ...], share: float, per_class: int, subjects: tuple[str, ...], seed: int
) -> Accuracy:
    """About `share` of `per_class` windows a class right; mistakes go to a few neighbours."""
    rng = random.Random(seed)
    confusion = [[0] * len(classes) for _ in classes]
    for true in range(len(classes)):
        skill = min(1.0, max(0.05, rng.gauss(share, 0.12)))
        neighbours = [(true + step) % len(classes) for step in (1, 2, len(classes) // 3 + 1)]
        for _ in range(per_class):
            hit = rng.random() < skill
            confusion[true][true if hit else rng.choice(neighbours)] += 1
    total = per_class * len(classes)
    right = sum(confusion[i][i] for i in range(len(classes)))
    groups = []
    for subject in subjects:
        n = total // len(subjects)
        k = min(n, round(n * min(1.0, max(0.0, rng.gauss(right / total, 0.05)))))
        groups.append(GroupAccuracy(subject, n, k / n, wilson(k, n)))
    rows = tuple(
        GroupAccuracy(
            name, per_class, confusion[i][i] / per_class, wilson(confusion[i][i], per_class)
        )
        for i, name in enumerate(classes)
    )
    return Accuracy(
        total, total, right / total, wilson(right, total), right / total - 0.004, classes,
        tuple(map(tuple, confusion)), tuple(groups), rows,
    )  # fmt: skip


def size(file_bytes: int) -> Size:
    layers = (
        LayerCost(0, "CONV_2D", "tcn/conv_1", 412_000, 6_048, (1, 1, 100, 24)),
        LayerCost(1, "FULLY_CONNECTED", "logits", 2_400, 2_400, (1, 50)),
    )
    return Size(
        file_bytes, int(file_bytes * 0.78), file_bytes - int(file_bytes * 0.78), 414_400, layers
    )


def latency(runtime: str, median: float, seed: int) -> Latency:
    rng = random.Random(seed)
    times = sorted(
        median * math.exp(abs(rng.gauss(0, 0.08)) + rng.gauss(0, 0.03)) for _ in range(200)
    )
    low, high, n = times[0], times[-1] * 1.0001, 24
    width = (high - low) / n
    counts = [0] * n
    for time in times:
        counts[int((time - low) / width)] += 1
    bins = tuple((low + i * width, low + (i + 1) * width, c) for i, c in enumerate(counts))
    return Latency(
        runtime, 20, 200, 1, times[100], times[10], times[190], times[198], bins, HOST
    )  # fmt: skip


def arena(used: int) -> Arena:
    shares = (
        ("activations (head)", 0.52), ("TfLiteTensor variables", 0.16),
        ("persistent buffers", 0.14),
        ("NodeAndRegistration", 0.08), ("quantization data", 0.06), ("other", 0.04),
    )  # fmt: skip
    sections = [(name, int(used * share)) for name, share in shares]
    return Arena("x86-64", used, used + 64, tuple(sections), "TFLite Micro recorder, x86-64")


def curve(model: str, epochs: int, final: float, seed: int) -> Curve:
    rng = random.Random(seed)
    rise = [1 - math.exp(-5 * (e + 1) / epochs) for e in range(epochs)]
    return Curve(
        model,
        tuple(3.9 * (1 - 0.93 * r) + 0.03 * rng.random() for r in rise),
        tuple(final * 1.04 * r for r in rise),
        tuple(3.9 * (1 - 0.85 * r) + 0.12 * rng.random() for r in rise),
        tuple(final * r - 0.03 * rng.random() for r in rise),
        tuple(1.1 + 0.1 * rng.random() for _ in rise),
    )


def sample_windows(labels: tuple[str, ...]) -> tuple[SampleWindow, ...]:
    rng = random.Random(5)
    windows = []
    for label in labels:
        for name, channels, rate in (("emg", 3, 148.15), ("acc", 3, 148.15), ("gyr", 3, 148.15)):
            phase = [rng.uniform(0, 6) for _ in range(channels)]
            rows = []
            for t in range(200):
                envelope = math.exp(-(((t - 100) / 45) ** 2))
                rows.append(
                    tuple(
                        2 * envelope * rng.gauss(0, 1)
                        if name == "emg"
                        else math.sin(t / 19 + p) * (0.4 + envelope) + rng.gauss(0, 0.03)
                        for p in phase
                    )
                )
            names = tuple(f"{name} {i + 1}" for i in range(channels))
            windows.append(
                SampleWindow(label, f"S5/{label}_07.csv", rate, names, tuple(rows), name)
            )
    return tuple(windows)


def full_report(*, n_classes: int = 50, synthetic: bool = True, hostile: str = "") -> Report:
    """A report with every section; `hostile` is put wherever a user's own text may come."""
    words = ("water", "help", "house", "thank you", "morning", "mother", "school", "friend")
    classes = tuple(
        f"{words[i % 8]} {i // 8 + 1}" if i >= 8 else words[i] for i in range(n_classes)
    )
    classes = (hostile or classes[0], *classes[1:])
    return Report(
        schema_version=SCHEMA_VERSION,
        title=f"demo {hostile}".strip(),
        product=PRODUCT,
        synthetic=synthetic,
        caveats=(f"Invented figures, for tests of the report only. {hostile}".strip(),),
        provenance=Provenance(
            "2026-01-02T03:04:05Z",
            f"kd-edge build recipes/demo.toml --out build/demo {hostile}".strip(),
            {"kd-edge": "0.1.0", "tensorflow": "2.21.0", "ai-edge-litert": "2.3.0"},
            HOST,
            "0123456789abcdef" * 4,
        ),
        parts=_parts(classes, hostile),
        rows=_rows(classes, hostile),
        parity=_parity(hostile),
        curves=(
            curve(f"teacher{hostile}", 60, 0.9, 1),
            curve(PRODUCT, 50, 0.82, 2),
            curve("seed-single-student", 50, 0.79, 3),
        ),
        findings=_findings(hostile),
        gates=_gates(hostile),
        flash=tuple(
            FlashSection(name, n, "arm-none-eabi-gcc 12.2 -Os", "cortex-m4")
            for name, n in (("model", 31_480), ("op resolver", 1_312), ("golden vectors", 9_600),
                            ("front end", 2_048), (f"labels {hostile}".strip(), 612))
        ),
        samples=sample_windows(classes[:3]),
        decisions=decisions(hostile),
        selection=selection(hostile),
        gallery=gallery(hostile),
        learnt=(
            Learnt("theirs", (), origin=f"theirs{hostile}.onnx, SHA-256 {'ab' * 32}"),
            Learnt(f"teacher{hostile}", ()),
            Learnt(PRODUCT, (f"teacher{hostile}", "theirs"), ("deaf",), "mean-logits"),
        ),
        folds=tuple(
            FoldResult(f"without {s}", PRODUCT, accuracy(classes, 0.5 + 0.04 * i, 20, (s,), 60 + i))
            for i, s in enumerate(SUBJECTS)
        ),
    )  # fmt: skip


def selection(hostile: str = "") -> Selection:
    """A cascade of two models on two parts, on the second without known costs."""
    models = (f"small{hostile}", f"large{hostile}")
    parts = (f"unseen person{hostile}", f"random split{hostile}")
    interval = Interval(0.6, 0.9, 0.95, "Wilson")

    def way(
        name: str, kind: str, value: float, answered: dict[str, int], cost: float | None
    ) -> Way:
        m55 = {"m55": cost and cost / 4}
        figures = tuple(
            WayFigure(part, value, interval, answered, cost, cost, cost, m55) for part in parts
        )
        return Way(name, kind, 31_000, figures)

    points = tuple(CurvePoint(m / 4, m / 8, 0.7 + m / 80, 0.2 + m / 8) for m in range(9))
    ways = (
        way(models[0], "model", 0.7, {models[0]: 100}, 1_000.0),
        way(models[1], "model", 0.8, {models[1]: 100}, 5_000.0),
        way("average", "average", 0.79, {}, 6_000.0),
        way(f"both{hostile}", "product", 0.798, {models[0]: 60, models[1]: 40}, 3_000.0),
        way("oracle", "oracle", 0.86, {models[0]: 70, models[1]: 30}, None),
    )
    return Selection(
        product=f"both{hostile}",
        rule="cascade",
        models=models,
        core="m4",
        unit="instructions",
        figure="accuracy",
        ways=ways,
        curves=tuple(CascadeCurve(part, points, points[3]) for part in parts),
        against=(
            Against(parts[0], models[1], 0.002, interval, 0.4, 0.5, {"m55": 0.3}),
            Against(parts[1], models[1], -0.01, interval, None, None),
        ),
        margin=0.75,
        n_fitted=120,
        fitted_drop=0.0,
        notes=(f"Made up.{hostile}",),
    )


def decisions(hostile: str = "") -> DecisionSection:
    """Confidence, rejection and events of two parts."""
    part, leaky = f"unseen person{hostile}", f"random split{hostile}"
    points = tuple(CoveragePoint(c / 10, 1 - 0.03 * c) for c in range(1, 11))
    scores = ((1, 88, 40, 0.41), (5, 92, 9, 0.83), (12, 60, 1, 1.7))
    return DecisionSection(
        temperature=1.83,
        n_fitted=300,
        unknown_classes=(f"scratch{hostile}",),
        calibration=tuple(
            Calibrated(name, Calibration(400, 1.31, 0.142), Calibration(400, 1.02, 0.031))
            for name in (part, leaky)
        ),
        coverage=(
            Covered(part, Coverage(400, 0.113, points), 0.86, 0.9),
            Covered(leaky, Coverage(400, 0.2, points[-1:]), None, None),
        ),
        unknown=(
            Unknown(
                part, 400, 90, {"confidence": 0.81, "margin": 0.8, "distance": 0.74}, 0.14, 0.52
            ),
        ),
        events=(
            StreamEvents(
                part,
                True,
                5,
                (
                    *(
                        EventPoint(n, EventScore(100, f, f + a, a, 5.0, delay, 2 * delay))
                        for n, f, a, delay in scores
                    ),
                    EventPoint(40, EventScore(100, 0, 0, 0, 5.0, None, None)),
                ),
            ),
        ),
        notes=(f"Made up.{hostile}",),
    )


def _parts(classes: tuple[str, ...], hostile: str) -> tuple[Part, ...]:
    def part(name, role, kind, *, leak, each, subjects):
        counts = {c: each - (i % 3 if role == "train" else 0) for i, c in enumerate(classes)}
        n = sum(counts.values())
        leaky = leak is not None
        return Part(name, role, kind, leak, leaky, n, n, counts, subjects, ("day 1",))

    leak = f"{LEAK} {hostile}".strip()
    return (
        part("training", "train", "subject", leak=None, each=64, subjects=SUBJECTS[:4]),
        part("validation", "validation", "subject", leak=None, each=16, subjects=SUBJECTS[:4]),
        part(
            LEAKY,
            "test",
            "random",
            leak=leak,
            each=10,
            subjects=SUBJECTS[:4],
        ),
        part(HONEST, "test", "subject", leak=None, each=20, subjects=(f"S5{hostile}",)),
    )


def _rows(classes: tuple[str, ...], hostile: str) -> tuple[Row, ...]:
    def figures(honest: float, leaky: float, seed: int) -> dict[str, Accuracy]:
        return {
            HONEST: accuracy(classes, honest, 20, ("S5",), seed),
            LEAKY: accuracy(classes, leaky, 10, SUBJECTS[:4], seed + 1),
        }

    rows = [
        Row("teacher", "teacher", "expert-cnn", "keras", "keras", 139_666, None,
            figures(0.64, 0.93, 1), None, None),
        Row("two-teachers", "ensemble", "mean-logits", "keras", "keras", 279_332, None,
            figures(0.66, 0.94, 3), None, None),
    ]  # fmt: skip
    students = (
        (PRODUCT, "tcn", 22_850, 0.60, 31_480, 98_300),
        ("seed-single-student", "seed-single-student", 34_306, 0.54, 45_440, 142_736),
    )
    for i, (model, architecture, parameters, honest, int8, float32) in enumerate(students):
        seed = 10 * (i + 1)
        shared = figures(honest, honest + 0.27, seed)
        forms = (("float32", float32, 60.0), ("float16", float32 // 2, 63.0),
                 ("dynamic", int8 + 4000, 55.0), ("int8", int8, 24.9))  # fmt: skip
        rows.append(Row(model, "student", architecture, "keras", "keras", parameters, None,
                        shared, None, None))  # fmt: skip
        for j, (form, n, micros) in enumerate(forms):
            timed = latency("litert", micros * (1 + 5 * i), seed + j)
            rows.append(Row(model, "student", architecture, form, "litert", parameters, size(n),
                            shared, timed, None))  # fmt: skip
        timed = latency("tflm", 900.0 * (1 + i), seed + 9)
        notes = (f"the oracle for a board {hostile}".strip(),)
        rows.append(Row(model, "student", architecture, "int8", "tflm", parameters, size(int8),
                        shared, timed, arena(22_672 + 3000 * i), notes))  # fmt: skip
    for i, name in enumerate(("lda", "random-forest")):
        rows.append(Row(name, "baseline", name, "", "scikit-learn", None, None,
                        figures(0.41 + 0.06 * i, 0.7 + 0.1 * i, 50 + i), None, None))  # fmt: skip
    return tuple(rows)


def _parity(hostile: str) -> tuple[Parity, ...]:
    return (
        Parity(INT8_LITERT, INT8_TFLM, "runtimes", 256, 0.9961, 3, 0.41,
               LayerDifference(2, "CONV_2D", f"tcn/conv_3{hostile}", 1, 0.02, 17), "", PRODUCT),
        Parity(KERAS, FLOAT_LITERT, "forms", 256, 1.0, None, 3.1e-6, None, "", PRODUCT),
        Parity(FLOAT_LITERT, INT8_LITERT, "forms", 256, 0.9844, None, 0.9, None,
               f"quantisation moves some windows {hostile}".strip(), PRODUCT),
    )  # fmt: skip


def _gates(hostile: str) -> tuple[Gate, ...]:
    student = f"{PRODUCT} {hostile}".strip()
    return (
        Gate("KD_GATE_ACCURACY", PRODUCT, INT8_TFLM, KERAS, 0.4, bounds(-0.3, 1.1), 1.0, "points",
             500, "held"),
        Gate("KD_GATE_PARITY", PRODUCT, INT8_LITERT, INT8_TFLM, 98.8, bounds(96.6, 99.8), 99.0,
             "%", 256, "unsure"),
        Gate("KD_GATE_ACCURACY", PRODUCT, INT8_LITERT, INT8_TFLM, 0.2, bounds(-0.4, 0.8), None,
             "points", 500, "stated"),
        Gate("KD_GATE_SIZE", student, INT8_TFLM, None, 31_480, None, 30_000, "B", None, "failed"),
    )  # fmt: skip


def bounds(low: float, high: float) -> Interval:
    return Interval(low, high, 0.95, "invented")


def _findings(hostile: str) -> tuple[Finding, ...]:
    return (
        Finding("KD_LINT_SATURATED", "warning", "0.8 % of the values of one tensor are clipped",
                f"{PRODUCT}, tensor tcn/conv_3/Relu {hostile}".strip(),
                "calibrate on more windows"),
        Finding("KD_LINT_ALIGN", "note", "50 classes leave two lanes of a layer unused",
                f"{PRODUCT}, logits", "nothing to do"),
    )  # fmt: skip
