"""What a model takes and gives, and which window input feeds which of its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kd_edge.base.errors import KdEdgeError


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of a model.

    Attributes:
        name: as the file has it.
        shape: with the batch of 1 in front.
        dtype: NumPy's name: 'int8', 'int16', 'float32'.
        scale, zero_point: `real = (q - zero_point) * scale`; None for float tensors.
        window: the window input that feeds it, where that is not its name; else ''.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int | None
    window: str = ""

    @property
    def is_quantised(self) -> bool:
        return self.scale is not None


def match_inputs(
    specs: Sequence[TensorSpec], shapes: dict[str, tuple[int, ...]]
) -> tuple[str, ...]:
    """The window input that feeds each model input.

    By name where every model input's name is known; else by shape where each fits exactly one.

    Args:
        specs: the model's inputs.
        shapes: window input -> shape of one window.

    Raises:
        KdEdgeError KD_SHAPE: a shape differs, or names are unknown and shapes ambiguous.
    """
    if all((spec.window or spec.name) in shapes for spec in specs):
        names = tuple(spec.window or spec.name for spec in specs)
    else:
        fitting = [[n for n, shape in shapes.items() if shape == s.shape[1:]] for s in specs]
        names = tuple(names[0] for names in fitting if len(names) == 1)
        if len(set(names)) != len(specs):
            raise _no_match(specs, shapes)
    for spec, name in zip(specs, names, strict=True):
        if shapes[name] != spec.shape[1:]:
            raise _no_match(specs, shapes)
    return names


def _no_match(specs: Sequence[TensorSpec], shapes: dict[str, tuple[int, ...]]) -> KdEdgeError:
    wanted = ", ".join(f"'{s.name}' {s.shape[1:]}" for s in specs)
    given = ", ".join(f"'{name}' {shape}" for name, shape in shapes.items())
    return KdEdgeError(
        "KD_SHAPE",
        f"the model takes {wanted}; the windows have {given}",
        hint="use windows from the recipe that the model was built with",
    )
