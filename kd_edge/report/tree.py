"""The report's tree: every figure of a build or bench, once, as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field

from kd_edge.measure.results import Arena, Latency, Size
from kd_edge.report.ablation import Ablation
from kd_edge.report.board_tree import BoardSection
from kd_edge.report.decision_tree import DecisionSection
from kd_edge.report.gallery import Gallery
from kd_edge.report.selection_tree import Selection
from kd_edge.runtimes.results import Parity, Side
from kd_edge.tasks.figures import Figure, Interval

SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Provenance:
    """What made the figures.

    Attributes:
        created: ISO 8601, UTC.
        versions: package -> version; a package that is not installed is absent.
        host: processor, cores, operating system, Python.
        recipe_sha256: of the recipe with every default filled in.
    """

    created: str
    command: str
    versions: dict[str, str]
    host: str
    recipe_sha256: str


@dataclass(frozen=True)
class Part:
    """One part of the data that models were trained or tested on.

    Attributes:
        name: as the recipe names it, e.g. 'July (another day)'.
        role: 'train', 'validation' or 'test'.
        kind: 'subject', 'session', 'last-repetitions', 'random' or 'other data' (test parts only).
        leak: None for an honest part; else which of subject, session or recordings lie on both
            sides, in words that stand beside every figure.
        leaky: the part flatters models: recordings on both sides, or a random split. The same
            subject on another day, say, is worth words, but it is a fair question to ask.
        class_counts: class -> windows; where parts of an example have a class each, examples that
            hold the class.
        subjects, sessions: that it holds.
    """

    name: str
    role: str
    kind: str
    leak: str | None
    leaky: bool
    n_windows: int
    n_recordings: int
    class_counts: dict[str, int]
    subjects: tuple[str, ...]
    sessions: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One model in one format on one runtime: a line of the table.

    Attributes:
        model: name in the recipe.
        role: 'teacher', 'ensemble', 'student', 'selector', 'composition' or 'baseline'.
        architecture: name in the model registry, the baseline's, or a composition's rule.
        format: a key of `FORMATS`, or 'keras'; '' for baselines.
        runtime: a key of `RUNTIMES`, 'keras' or 'scikit-learn'.
        parameters: trainable and not; None for baselines.
        accuracy: part name -> figure, the honest part first; empty where not measured.
        notes: e.g. 'runs in TFLite Micro only'.
        answered: of a composition: part name -> model -> windows that it answered; empty of one
            model, and of an average, which all answer.
    """

    model: str
    role: str
    architecture: str
    format: str
    runtime: str
    parameters: int | None
    size: Size | None
    accuracy: dict[str, Figure]
    latency: Latency | None
    arena: Arena | None
    notes: tuple[str, ...] = ()
    answered: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Learnt:
    """Whom one model learnt from.

    Attributes:
        teachers: names of those that taught it; () where it had the labels alone, or came as a
            file.
        left_out: teachers that were dropped, since they made the others decide worse.
        ensemble: how several teachers became one; None of one or none.
        origin: the file that it came as, with its SHA-256; None of a model that was trained here.
    """

    model: str
    teachers: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    ensemble: str | None = None
    origin: str | None = None


@dataclass(frozen=True)
class Curve:
    """Training history of one model; one value an epoch, None where not measured."""

    model: str
    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    validation_loss: tuple[float | None, ...]
    validation_accuracy: tuple[float | None, ...]
    seconds: tuple[float, ...]


@dataclass(frozen=True)
class Finding:
    """Something that a lint or gate found.

    Attributes:
        code: stable, e.g. 'KD_LINT_LSTM_SCALE'.
        severity: 'error', 'warning' or 'note'.
        where: model and tensor.
        hint: what to do.
    """

    code: str
    severity: str
    message: str
    where: str
    hint: str


@dataclass(frozen=True)
class Gate:
    """One limit of a build, and what was measured against it.

    Attributes:
        code: of the error that ends the build where the product fails the gate:
            'KD_GATE_ACCURACY' (value: what a form loses against another), 'KD_GATE_PARITY' (value:
            how often two runtimes give one class) or 'KD_GATE_SIZE'.
        tested: the form that the gate is about.
        against: what it was compared with; None for its size.
        value: in `unit`. interval: of the value; None for a size, which is exact.
        limit: in `unit`; None where the figure is stated and nothing hangs on it.
        unit: '%', 'points' (percentage points of accuracy) or 'B'.
        n_windows: that the value was measured on; None for a size.
        verdict: 'held'; 'unsure' where the value is beyond the limit and its interval includes the
            limit; 'failed' where the interval excludes it; 'stated' where there is no limit.
    """

    code: str
    model: str
    tested: Side
    against: Side | None
    value: float
    interval: Interval | None
    limit: float | None
    unit: str
    n_windows: int | None
    verdict: str


@dataclass(frozen=True)
class FlashSection:
    """Bytes of flash that one section of the exported C takes.

    Attributes:
        compiler: with its version and the options that decide the size. core: compiled for.
    """

    name: str
    bytes: int
    compiler: str
    core: str


@dataclass(frozen=True)
class SampleWindow:
    """One input of one window, for the eye, as the model sees it.

    Attributes:
        label: the window's true class.
        rate_hz: of the samples in `values`, after the front end.
        channels: names, one a column of `values`.
        values: (samples, channels), after the front end; steps joined in time.
        input_name: the model input that takes it.
    """

    label: str
    recording: str
    rate_hz: float
    channels: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    input_name: str


@dataclass(frozen=True)
class FoldResult:
    """Figure of one fold of a cross-validation, float student."""

    fold: str
    model: str
    accuracy: Figure


@dataclass(frozen=True)
class Personal:
    """What `personalise` found and did for one wearer.

    Attributes:
        taken: the product has the wearer's last layer; else the one that was built.
        why: in a sentence.
        repetitions: class -> repetitions that were given; every class is named.
        windows: of them. built_right, personal_right: of these windows, what each layer decides
            rightly; the wearer's has learned from them.
        held_out: repetitions that were held out in turn while the rest was learned; 0: none could.
        held_out_built, held_out_personal: of them, what each layer decides rightly.
        chance: that equally good layers differ so much in favour of the wearer's; None: not tried.
    """

    subject: str
    taken: bool
    why: str
    repetitions: dict[str, int]
    windows: int
    built_right: int
    personal_right: int
    held_out: int
    held_out_built: int
    held_out_personal: int
    chance: float | None


@dataclass(frozen=True)
class Report:
    """Everything that `build` and `bench` found; see the parts' own docstrings.

    Attributes:
        title: the recipe's name.
        product: name of what ships: a student, or a composition of several.
        synthetic: any data behind the figures was made by a generator.
        caveats: sentences that belong beside the figures.
        boards: what boards answered, one entry an evaluation.
        gates: every limit with what was measured against it.
        examples: what they are called: 'windows' or 'images'.
        decisions: confidence, rejection and events; None where they were not measured.
        learnt: whom each model learnt from, teachers first; empty where it is not known.
        personal: what was done for one wearer; None: it is nobody's.
        ablation: how far each part of the recipe earns its place; None if nobody asked.
        selection: what several models give together; None of one model.
        gallery: examples for the eye; None where the task paints nothing.
    """

    schema_version: int
    title: str
    product: str
    synthetic: bool
    caveats: tuple[str, ...]
    provenance: Provenance
    parts: tuple[Part, ...]
    rows: tuple[Row, ...]
    parity: tuple[Parity, ...]
    curves: tuple[Curve, ...]
    findings: tuple[Finding, ...]
    flash: tuple[FlashSection, ...]
    samples: tuple[SampleWindow, ...]
    folds: tuple[FoldResult, ...] = ()
    boards: tuple[BoardSection, ...] = ()
    gates: tuple[Gate, ...] = ()
    examples: str = "windows"
    decisions: DecisionSection | None = None
    learnt: tuple[Learnt, ...] = ()
    personal: Personal | None = None
    ablation: Ablation | None = None
    selection: Selection | None = None
    gallery: Gallery | None = None
