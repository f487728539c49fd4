"""What a loss is: typed options, the layers that it looks at, and a function of one batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from kd_edge.distill.batch import Batch, Tensor

if TYPE_CHECKING:
    import keras

# What a loss trains beside the student: a name of its own choice -> a layer.
Layers = Mapping[str, "keras.Layer"]


@dataclass(frozen=True)
class Taps:
    """Names of the layers whose outputs a loss reads: the student's, and those of every teacher."""

    student: tuple[str, ...] = ()
    teacher: tuple[str, ...] = ()

    def __add__(self, other: Taps) -> Taps:
        return Taps(
            tuple(dict.fromkeys(self.student + other.student)),
            tuple(dict.fromkeys(self.teacher + other.teacher)),
        )


class Loss(BaseModel):
    """One loss with its options; a subclass's fields are the keys that a recipe may set.

    A subclass says what it computes in `values`, with formula and paper in its docstring.

    Attributes:
        published: options of its paper's experiments, for whoever compares losses; without those
            that only the models decide, such as layers.
    """

    published: ClassVar[Mapping[str, Any]] = {}

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @property
    def needs_teacher(self) -> bool:
        """Whether it reads what teachers say."""
        return True

    def taps(self) -> Taps:
        """Layers that it reads beside the logits."""
        return Taps()

    def layers(self, student: Mapping[str, tuple], teacher: Mapping[str, tuple]) -> Layers:
        """Layers that are trained with the student and thrown away after it, such as regressors.

        Args:
            student, teacher: tapped layer -> its output's shape, without the batch.
        """
        del student, teacher
        return {}

    def balanced(self, class_weights: tuple[float, ...]) -> Loss:
        """The same with these weights of the classes, where it has such and none of its own."""
        del class_weights
        return self

    def check_classes(self, n_classes: int) -> None:
        """Make sure that it fits a model of so many classes. Raises KD_RECIPE_VALUE."""

    def values(self, batch: Batch, layers: Layers) -> Tensor:
        """(batch,) of the loss, to be made small; in nats where it is a cross-entropy."""
        raise NotImplementedError
