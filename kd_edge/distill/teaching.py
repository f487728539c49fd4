"""The teachers of a student: their outputs in a training step, or once and for all before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
from keras import ops

from kd_edge.distill.batch import Taught, Tensor
from kd_edge.distill.foreign.record import FileTeacher
from kd_edge.distill.tapped import Tapped
from kd_edge.examples import Examples


def tapped_teacher(
    teacher: keras.Model | FileTeacher, layers: Sequence[str], name: str | None = None
) -> Tapped | FileTeacher:
    """A teacher, a network or one from a file, with the outputs of some of its layers.

    Args:
        name: for errors; the network's own where None.

    Raises:
        KdEdgeError KD_RECIPE_VALUE: it has no layer of that name.
    """
    if isinstance(teacher, FileTeacher):
        return teacher.tapped(layers)
    return Tapped(teacher, layers, f"the teacher '{name or teacher.name}'")


class Teaching:
    """Teachers that answer together.

    Args:
        teachers: trained networks or teachers from files, each with inputs among the examples'.
        join: (teachers, n, ..., classes) -> (n, ..., classes), as `ensemble.joiner` gives it; one
            teacher needs none.
        layers: names of layers of every teacher that the loss looks at.
    """

    def __init__(
        self,
        teachers: Sequence[keras.Model | FileTeacher],
        join: Callable[[Tensor], Tensor] | None = None,
        layers: Sequence[str] = (),
    ):
        self._teachers = [tapped_teacher(teacher, layers) for teacher in teachers]
        self._join = join

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of every input that a teacher takes."""
        return tuple(dict.fromkeys(name for t in self._teachers for name in t.inputs))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of one example's output of each tapped layer of the first teacher."""
        return self._teachers[0].shapes

    @property
    def weights(self) -> list[np.ndarray]:
        """Every teacher's variables, of any shape and without unit: what its answers depend on."""
        return [array for teacher in self._teachers for array in teacher.weights]

    @property
    def only_kept(self) -> str | None:
        """The first teacher that knows only windows as they are; None where none is so."""
        files = (t for t in self._teachers if isinstance(t, FileTeacher))
        return next((teacher.name for teacher in files if teacher.only_kept), None)

    @property
    def networks(self) -> list[keras.Model]:
        """The teachers themselves, without unit."""
        return [teacher.model for teacher in self._teachers]

    def __call__(
        self, inputs: Mapping[str, Tensor], join: Callable[[Tensor], Tensor] | None = None
    ) -> Taught:
        """What they say to (batch, ...) inputs by name, dropout off.

        Args:
            join: in place of their own way to become one.
        """
        join = join or self._join
        answers = tuple(
            keras.tree.map_structure(ops.stop_gradient, teacher(inputs, training=False))
            for teacher in self._teachers
        )
        if join is None or len(answers) == 1:
            return Taught(answers[0].logits, answers)
        return Taught(join(ops.stack([a.logits for a in answers])), answers)

    def once(self, windows: Examples) -> Taught:
        """What they say to all windows, as NumPy arrays of (n, ...)."""
        batch_size = windows.at_once
        parts = [
            keras.tree.map_structure(
                ops.convert_to_numpy,
                self({n: windows.inputs[n][at : at + batch_size] for n in self.inputs}),
            )
            for at in range(0, len(windows), batch_size)
        ]
        return keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)
