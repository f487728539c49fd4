"""The report's figures of several models that answer as one."""

from __future__ import annotations

from dataclasses import dataclass, field

from kd_edge.tasks.figures import Interval


@dataclass(frozen=True)
class WayFigure:
    """One way to answer, on one part.

    Attributes:
        value: of the task's figure, 0 to 1. interval: of it.
        answered: model -> examples that it answered; empty where no single model does.
        bytes_run: of the `.tflite` files of the models that ran, expected an input.
        macs: multiply-accumulates, expected an input; None: not known of a model.
        instructions: expected an input on `Selection.core`, estimated; None: not known of a model.
        elsewhere: further core -> the same there.
    """

    part: str
    value: float
    interval: Interval
    answered: dict[str, int]
    bytes_run: float | None
    macs: float | None
    instructions: float | None
    elsewhere: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Way:
    """One way to answer with the models that ship, or with some of them.

    Attributes:
        kind: 'model', 'average', 'largest margin', 'product' or 'oracle', which picks a model that
            is right wherever there is one: no rule can, so it has no cost.
        file_bytes: of every `.tflite` that it needs.
    """

    name: str
    kind: str
    file_bytes: int
    figures: tuple[WayFigure, ...]


@dataclass(frozen=True)
class CurvePoint:
    """A cascade with another margin.

    Attributes:
        margin: in the unit of the models' scores.
        asked: share of examples for which the last model ran, 0 to 1.
        right: share of decisions that are right, 0 to 1.
        cost: expected an input, as a share of what the last model alone takes; of `Selection.unit`.
    """

    margin: float
    asked: float
    right: float
    cost: float | None


@dataclass(frozen=True)
class CascadeCurve:
    """A part's points, margins rising, and where the product stands."""

    part: str
    points: tuple[CurvePoint, ...]
    product: CurvePoint


@dataclass(frozen=True)
class Against:
    """The product beside one of its models: of a cascade the last, else the best of the part.

    Attributes:
        drop: what the product loses against that model, share of decisions; negative: it gains.
        interval: of it, over recordings.
        saved: share of the model's cost that the product saves, in `Selection.unit`; negative: it
            costs more. None: not known.
        saved_of_all: the same, of running every model.
        saved_elsewhere: further core -> share of that model's instructions that are saved there.
    """

    part: str
    model: str
    drop: float
    interval: Interval
    saved: float | None
    saved_of_all: float | None
    saved_elsewhere: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Selection:
    """What several models give together, beside each of them.

    Attributes:
        product, rule: what ships. models: in its order.
        core: that instructions are estimated for; figures name further ones.
        unit: of costs: 'instructions' where they are known of every model, else
            'multiply-accumulates'.
        margin: of a cascade whose margin the build found, in the unit of the models' scores.
        n_fitted: examples that the margin was found on. fitted_drop: what the cascade loses on
            them, share of decisions.
        figure: what the task's figure is called.
        ways: the models, then together, the product, and the oracle.
        curves: of a cascade, one a part.
        notes: what a reader of the figures must know.
    """

    product: str
    rule: str
    models: tuple[str, ...]
    core: str
    unit: str
    figure: str
    ways: tuple[Way, ...]
    curves: tuple[CascadeCurve, ...]
    against: tuple[Against, ...]
    margin: float | None = None
    n_fitted: int | None = None
    fitted_drop: float | None = None
    notes: tuple[str, ...] = ()
