"""What a teacher from a file is to a training step: something that answers windows by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.batch import Outputs, Tensor
from kd_edge.distill.logits import are_probabilities
from kd_edge.examples import Examples

# Examples that are asked about to see whether a file answers as it should.
_TRIED = 4
# Below this a probability counts as this, so that its logarithm is a number.
_LEAST = 1e-7


@dataclass(frozen=True)
class Asked:
    """How a file is asked, and what becomes of what it says.

    Attributes:
        name: of the teacher. where: its file, for errors.
        sha256: of the file.
        inputs: window inputs that it is given.
        columns: for each class of the data, its place among the file's classes.
        n_classes: of the file.
        probabilities: it gives probabilities; their logarithms are taken.
    """

    name: str
    where: str
    sha256: str
    inputs: tuple[str, ...]
    columns: tuple[int, ...]
    n_classes: int
    probabilities: bool

    def finished(self, scores: Any, library: Any) -> Any:
        """(batch, ..., classes of the data) logits of (batch, ..., classes of the file) scores.

        Classes of the file that the data lack are left out: what is left are logits of the others.

        Args:
            library: NumPy or `keras.ops`.
        """
        if self.probabilities:
            scores = library.log(library.maximum(scores, _LEAST))
        if self.columns == tuple(range(self.n_classes)):
            return scores
        return library.take(scores, np.array(self.columns), axis=-1)

    def refuse(self, code: str, message: str, hint: str) -> KdEdgeError:
        """An error about the file."""
        return KdEdgeError(
            code, f"the teacher '{self.name}' {message}", where=self.where, hint=hint
        )


class FileTeacher(ABC):
    """A teacher from a file: it is asked as a network is, and never trained.

    Attributes:
        asked: how.
        only_kept: it knows the windows that its file names and no others, so that nothing may
            change them.
    """

    only_kept = False

    def __init__(self, asked: Asked):
        self.asked = asked

    @property
    def name(self) -> str:
        """Of the teacher."""
        return self.asked.name

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the window inputs that it is given."""
        return self.asked.inputs

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of one example's output of each layer that a loss looks at: of none."""
        return {}

    @property
    def weights(self) -> list[np.ndarray]:
        """(32,) bytes: the SHA-256 of the file, on which all its answers depend."""
        return [np.frombuffer(bytes.fromhex(self.asked.sha256), np.uint8)]

    def tapped(self, layers: Sequence[str]) -> FileTeacher:
        """The same teacher with the outputs of some of its layers.

        Raises:
            KdEdgeError KD_RECIPE_VALUE: they cannot be had.
        """
        if layers:
            raise self.asked.refuse(
                "KD_RECIPE_VALUE",
                f"gives its scores alone, and the loss looks at its layer '{layers[0]}'",
                "choose a loss of the logits, or bring the teacher as a .keras file",
            )
        return self

    @abstractmethod
    def scores(self, inputs: Mapping[str, Tensor]) -> Outputs:
        """(batch, ..., classes of the file), and tapped layers, inside a graph or outside."""

    def __call__(self, inputs: Mapping[str, Tensor], *, training: bool) -> Outputs:
        """Its outputs on (batch, ...) inputs by name; more inputs than its own may be given."""
        del training  # it learns nothing any more
        said = self.scores(inputs)
        return Outputs(self.asked.finished(said.logits, ops), said.features)

    def predict(self, windows: Examples) -> np.ndarray:
        """(n, ..., classes) float32 logits of windows."""
        step = windows.at_once
        return np.concatenate(
            [
                ops.convert_to_numpy(self(_some(self, windows, at, step), training=False).logits)
                for at in range(0, max(1, len(windows)), step)
            ]
        )

    def check(self, windows: Examples, part: str) -> None:
        """Make sure that it answers windows: a score a class, finite, and of the kind promised.

        Args:
            part: whose windows they are, for errors.

        Raises:
            KdEdgeError KD_SHAPE, KD_NOT_LOGITS, KD_DIVERGED: as `check_scores`; KD_RECIPE_VALUE:
                they are no probabilities. KD_EMPTY_PART: there are no windows.
        """
        if len(windows) == 0:
            raise KdEdgeError("KD_EMPTY_PART", f"the {part} has no windows")
        said = self.scores(_some(self, windows, 0, _TRIED)).logits
        truth = windows.truth[:_TRIED]
        check_scores(self.asked, ops.convert_to_numpy(said), truth.shape)


def check_scores(asked: Asked, scores: np.ndarray, shape: tuple[int, ...]) -> None:
    """Refuse what are no scores of the file's classes.

    Args:
        scores: (n, ..., classes of the file), as the file gave them.
        shape: of the truth about them, (n, ...).

    Raises:
        KdEdgeError KD_SHAPE: not a score for each class. KD_DIVERGED: some are not finite.
        KD_NOT_LOGITS: they are probabilities. KD_RECIPE_VALUE: they are none.
    """
    if scores.shape != (*shape, asked.n_classes):
        raise asked.refuse(
            "KD_SHAPE",
            f"gives {scores.shape} for {shape[0]} windows, not {(*shape, asked.n_classes)}",
            f"`classes` of the teacher names {asked.n_classes} classes, and its scores must end "
            "in an axis of as many",
        )
    if not np.isfinite(scores).all():
        bad = int(np.argwhere(~np.isfinite(scores))[0][0])
        raise asked.refuse("KD_DIVERGED", f"gives scores that are not finite: row {bad}",
                           "look at the network with its own tools")  # fmt: skip
    sums_to_one = are_probabilities(scores)
    if sums_to_one and not asked.probabilities:
        raise asked.refuse(
            "KD_NOT_LOGITS", "gives probabilities, and logits are promised",
            'say scores = "probabilities", or take the softmax off the network',
        )  # fmt: skip
    if asked.probabilities and not sums_to_one:
        raise asked.refuse(
            "KD_RECIPE_VALUE", "gives no probabilities: its scores do not sum to one",
            'say scores = "logits"',
        )  # fmt: skip


def by_numpy(
    answer: Callable[..., np.ndarray], arrays: Sequence[Tensor], shape: tuple[int, ...]
) -> Tensor:
    """What a NumPy function says, inside a graph or outside.

    Args:
        answer: (batch, ...) arrays -> (batch, ...) float32. Inside a graph it runs on the CPU, one
            call after the other.
        shape: of one answer.
    """
    import tensorflow as tf

    if tf.executing_eagerly():
        return answer(*map(ops.convert_to_numpy, arrays))
    said = tf.numpy_function(answer, list(arrays), tf.float32)
    return tf.ensure_shape(said, (arrays[0].shape[0], *shape))


def _some(teacher: FileTeacher, windows: Examples, at: int, step: int) -> dict[str, np.ndarray]:
    return {name: np.asarray(windows.inputs[name][at : at + step]) for name in teacher.inputs}
