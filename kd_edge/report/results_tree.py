"""What a row of results holds: figures over folds and seeds, as JSON and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.untrusted import parse_json
from kd_edge.runtimes.results import Parity
from kd_edge.tasks.figures import Interval

RESULT_SCHEMA = 2
# What a column of the table shows.
STUDENT, FLOAT, LABELS, TEACHER, SEED, OTHER, OTHER_TEACHER, BASELINE = (
    "student",
    "float student",
    "float student on labels alone",
    "teacher",
    "seed architecture",
    "other student",
    "other teacher",
    "baseline",
)
# Those that the student in int8 is compared with, decision by decision.
BESIDE = (TEACHER, SEED, OTHER, OTHER_TEACHER)
ACCURACY = "accuracy"


@dataclass(frozen=True)
class Mean:
    """One figure of a model on one test part, in percent.

    Attributes:
        percent: mean over the seeds of the mean over people, each of whom counts alike.
        seeds: the same of each seed, in the order of `Result.seeds`; one of what has no seed.
        deviation: sample standard deviation over the seeds; None of a single one.
        interval: of `percent`, over people; over recordings if there is one person alone.
        people: person -> mean over the seeds.
        sessions: session -> the same; empty if the part holds one session alone.
        decisions: windows, or votes over windows, that each seed was measured on.
    """

    percent: float
    seeds: tuple[float, ...]
    deviation: float | None
    interval: Interval
    people: Mapping[str, float]
    sessions: Mapping[str, float]
    decisions: int


@dataclass(frozen=True)
class Gain:
    """What one model has more than another on the same decisions, in percentage points.

    Attributes:
        points: mean over the seeds of the mean over people; less than 0 where it has less.
        seeds: the same of each seed. deviation: over the seeds; None of a single one.
        interval: of `points`, over people; over recordings if there is one person alone.
        people: person -> mean over the seeds.
    """

    points: float
    seeds: tuple[float, ...]
    deviation: float | None
    interval: Interval
    people: Mapping[str, float]


@dataclass(frozen=True)
class ModelResult:
    """One model, or baseline, in all folds and seeds.

    Attributes:
        column: what it is in the table, a constant of this module.
        format, runtime: what answered.
        bytes: of the file, the largest of all; None if it was not converted.
        figures: 'as worn' and other orders of a wearer's recordings -> mean.
    """

    column: str
    name: str
    architecture: str
    format: str
    runtime: str
    parameters: int | None
    bytes: int | None
    figures: Mapping[str, Mean]


@dataclass(frozen=True)
class OnBoard:
    """The student of one fold and seed on a board, beside this host's TFLite Micro.

    Attributes:
        windows: asked. same: of them, those with every score the same, bit for bit.
    """

    board: str
    windows: int
    same: int


@dataclass(frozen=True)
class Spread:
    """One figure over seeds and people, in the unit that its owner says.

    Attributes:
        value: mean over the seeds of the mean over people. seeds: the same of each seed.
        deviation: over the seeds; None of a single one.
        interval: of `value`, over people; None of one person.
        people: person -> mean over the seeds.
    """

    value: float
    seeds: tuple[float, ...]
    deviation: float | None
    interval: Interval | None
    people: Mapping[str, float]


@dataclass(frozen=True)
class UnknownGestures:
    """Gestures that no model of the row learned, made by the people whom it tests.

    Attributes:
        rejected: percent of their windows that the thresholds reject.
        auroc: by 'confidence', 'margin' and 'distance': how often a known window is surer than an
            unknown one, 0 to 1.
    """

    classes: tuple[str, ...]
    rejected: Spread
    auroc: Mapping[str, Spread]


@dataclass(frozen=True)
class Events:
    """What is said of streams: recordings joined one behind the other, person by person.

    Attributes:
        has_rest: rest stands before each gesture.
        found: percent of the gestures. alarms_a_minute: onsets that found no gesture.
        delay_s: median over a person's gestures from start to onset; None if one finds none.
        gestures, minutes: that a seed is measured on.
    """

    has_rest: bool
    found: Spread
    alarms_a_minute: Spread
    delay_s: Spread | None
    gestures: int
    minutes: float


@dataclass(frozen=True)
class Decisions:
    """The student in int8 with the recipe's decision rule, fitted on validation parts, as worn.

    Attributes:
        coverage: percent of a person's windows -> percent right among so many surest ones.
        answered: percent of the windows that the thresholds do not reject.
        answered_right: percent of those; None if somebody has none left.
        unknown: None if all classes are learned.
        events: None if a recording gives one window.
    """

    coverage: Mapping[str, Spread]
    answered: Spread
    answered_right: Spread | None
    unknown: UnknownGestures | None
    events: Events | None


@dataclass(frozen=True)
class PersonalPoint:
    """The student in int8 after somebody's first labelled repetitions, on those that come later.

    Attributes:
        repetitions: of each class. built: with the last layer as built.
        personal: with the one that `kd-edge personalise` ships.
        taken: share of people and seeds for whom that is the wearer's own, 0 to 1.
    """

    repetitions: int
    built: Mean
    personal: Mean
    taken: float


@dataclass(frozen=True)
class Result:
    """One row of results.

    Attributes:
        row: its name, and the file's.
        recipe: name of the recipe. recipe_sha256: of all that it asks; without its decision rule
            if `decisions` is None.
        form: 'whole', or 'quick' if the figures mean nothing.
        part: the test part, as the recipe calls it.
        trained: together on JAX, or one by one on TensorFlow.
        people: whom it is measured on. folds: in the recipe's order.
        vote: None, seconds, or 'recording': what a decision is made of.
        models: the student first.
        int8_loss_points: percentage points that the student loses in int8; less than 0 if it gains.
        distillation: of the float student, beside the same network trained on the labels alone for
            as many epochs; None if the student has no teacher.
        parity: of the first fold's student of the first seed, between int8 runtimes.
        board: None if no board was asked.
        decisions: None if the recipe has no decision rule, or the row votes.
        personal: by repetitions; empty if the row does not ask.
        figure: what all percents are: 'accuracy' or 'mean IoU'.
        beside: name of another model -> what the student in int8 has more than that in floating
            point.
    """

    schema_version: int
    row: str
    recipe: str
    recipe_sha256: str
    form: str
    part: str
    synthetic: bool
    trained: str
    seeds: tuple[int, ...]
    folds: tuple[str, ...]
    people: tuple[str, ...]
    vote: float | str | None
    models: tuple[ModelResult, ...]
    int8_loss_points: float
    distillation: Gain | None
    parity: tuple[Parity, ...]
    board: OnBoard | None
    host: str
    versions: Mapping[str, str]
    decisions: Decisions | None = None
    personal: tuple[PersonalPoint, ...] = ()
    figure: str = ACCURACY
    beside: Mapping[str, Gain] = field(default_factory=dict)

    def models_of(self, column: str) -> tuple[ModelResult, ...]:
        """The models of a column."""
        return tuple(model for model in self.models if model.column == column)


AS_WORN = "as worn"


@cache
def _adapter():
    from pydantic import ConfigDict, TypeAdapter, with_config

    strict = with_config(ConfigDict(allow_inf_nan=False, extra="forbid"))
    return TypeAdapter(strict(Result))


def result_to_json(result: Result) -> str:
    """As JSON text with a line end: the same result gives the same text.

    Raises:
        ValueError: a figure is NaN or infinite.
    """
    return json.dumps(told(result), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def told(result: Result) -> dict:
    """What JSON says of a row. What the row does not ask for is left out."""
    fields = asdict(result)
    absents = {"decisions": None, "personal": (), "figure": ACCURACY, "beside": {}}
    for name, absent in absents.items():
        if fields[name] == absent:
            del fields[name]
    return fields


def result_from_json(text: str, *, source: str) -> Result:
    """The result that `result_to_json` wrote; `source` is its file, for errors.

    Raises:
        KdEdgeError KD_BAD_FORMAT: not a result of this version.
    """
    from pydantic import ValidationError

    try:
        version = parse_json(text)["schema_version"]
        if version != RESULT_SCHEMA:
            raise ValueError(f"schema version {version}, and this kd-edge reads {RESULT_SCHEMA}")
        return _adapter().validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        said = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (ValueError, KeyError, TypeError) as error:
        said = str(error) or type(error).__name__
    raise KdEdgeError(
        "KD_BAD_FORMAT",
        f"this is not a row of results: {said}",
        where=source,
        hint="`kd-edge results ROW` makes it again",
    )
