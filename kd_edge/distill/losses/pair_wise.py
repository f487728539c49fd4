"""Pair-wise distillation: two places of an image are as alike to the student as to the teacher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from keras import ops
from pydantic import Field

from kd_edge.base.errors import KdEdgeError
from kd_edge.distill.batch import Batch
from kd_edge.distill.losses.layers import LayerLoss
from kd_edge.distill.losses.shapes import per_example, unit


class PairWise(LayerLoss):
    """Squared difference of the cosines between all pairs of an image's patches.

    Options:
        student_layer, teacher_layer: names of layers whose outputs agree in all but channels.
        patch: places along each axis that are averaged into one; the cost grows with the square of
            the number of patches.
    """

    published: ClassVar = {"patch": 2}

    patch: Annotated[int, Field(ge=1)]

    def layers(self, student: Mapping[str, tuple], teacher: Mapping[str, tuple]):
        self.refuse_without_places(student, teacher)
        shape = student[self.student_layer]
        if min(shape[:-1]) < self.patch or len(shape) > 3:
            raise KdEdgeError(
                "KD_SHAPE",
                f"layer '{self.student_layer}' gives {shape}, which holds no patch of {self.patch} "
                "places along each axis",
                where="distillation.patch",
                hint="choose a smaller patch, or a layer with one or two axes of places",
            )
        return {}

    def values(self, batch: Batch, layers):
        del layers
        return self.over_teachers(
            batch, lambda ours, theirs: pair_wise_loss(ours, theirs, patch=self.patch)
        )


def pair_wise_loss(student_features, teacher_features, *, patch):
    """Mean over all pairs of patches of the squared difference of their cosines.

    1 / P² * sum_i sum_j (a_s(i, j) - a_t(i, j))², a(i, j) = f_i f_j / (|f_i| |f_j|), f_i the mean
    over patch i; Y. Liu, K. Chen, C. Liu, Z. Qin, Z. Luo, J. Wang, "Structured Knowledge
    Distillation for Semantic Segmentation", CVPR 2019, section 3.2, each patch connected to all.

    Args:
        student_features, teacher_features: (batch, places, channels) or (batch, rows, columns,
            channels), of equal shape but for channels.
        patch: places along each axis that are averaged; what does not fill a patch is left out.

    Returns:
        (batch,), 0 to 4.
    """
    return per_example(
        ops.square(_cosines(student_features, patch) - _cosines(teacher_features, patch))
    )


def _cosines(features, patch: int):
    """(batch, ..., channels) -> (batch, patches, patches)."""
    if patch > 1:
        features = ops.average_pool(features, patch, strides=patch)
    vectors = ops.reshape(features, (ops.shape(features)[0], -1, features.shape[-1]))
    vectors = unit(vectors)
    return ops.matmul(vectors, ops.transpose(vectors, (0, 2, 1)))
