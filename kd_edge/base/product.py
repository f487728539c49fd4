"""What ships: one int8 model, or several and a rule, as facts that host and firmware share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path

from kd_edge.base.composition import (
    ANSWERED,
    CommonScale,
    Composition,
    common_scale,
    joined_inputs,
)
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import sha256_text
from kd_edge.base.flatbuffer import TfliteModel, read_tflite
from kd_edge.base.tensors import TensorSpec


@dataclass(frozen=True, eq=False)
class Member:
    """One model of a product.

    Attributes:
        name: as the bundle has it. path: its int8 `.tflite`. model: what that file holds.
    """

    name: str
    path: Path
    model: TfliteModel

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """In the model's order, as the runtimes describe them."""
        return _specs(self.model, self.model.inputs)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return _specs(self.model, self.model.outputs)


@dataclass(frozen=True, eq=False)
class Product:
    """One or several models, seen as one.

    Attributes:
        members: in the order of `Composition.members`; of one model that one.
        composition: the rule; None with one model.
        common: the scale of its answers; None with one model.
        inputs: each once.
        feeds: of each member: which of `inputs` feeds each of its own.
        sha256: of the `.tflite`; of a composition, of its rule and its models' digests.
    """

    members: tuple[Member, ...]
    composition: Composition | None
    common: CommonScale | None
    inputs: tuple[TensorSpec, ...]
    feeds: tuple[tuple[int, ...], ...]
    sha256: str

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The scores; of a composition also which model answered, as one int8 value."""
        first = self.members[0].outputs
        if self.composition is None:
            return first
        scores = TensorSpec(
            first[0].name, first[0].shape, "int8", self.common.scale, self.common.zero_point
        )
        return scores, TensorSpec(ANSWERED, (1, 1), "int8", 1.0, 0)

    @property
    def n_bytes(self) -> int:
        """Of all `.tflite` files."""
        return sum(member.model.n_bytes for member in self.members)


def read_product(
    paths: Mapping[str, Path],
    composition: Composition | None = None,
    *,
    windows: Mapping[str, Sequence[str]] | None = None,
) -> Product:
    """The product that these int8 files make.

    Args:
        paths: model -> its file; one model, or those of the composition.
        composition: how they answer as one.
        windows: model -> the window input that feeds each of its inputs, in its order; None where
            they are called so.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_TFLITE: as `read_tflite`.
        KdEdgeError KD_SHAPE: the rule's models do not fit together.
    """
    names = tuple(paths) if composition is None else composition.members
    members = tuple(
        Member(name, Path(paths[name]), read_tflite(Path(paths[name]))) for name in names
    )
    if composition is None:
        (member,) = members
        model = member.model
        every = tuple(range(len(model.inputs)))
        return Product(members, None, None, member.inputs, (every,), model.sha256)
    _check(composition, members)
    inputs, feeds = joined_inputs(
        [(member.name, member.inputs, _windows_of(member, windows)) for member in members]
    )
    answering = [member.outputs[0] for member in members[: len(composition.models)]]
    return Product(
        members,
        composition,
        common_scale(composition.rule, answering),
        inputs,
        feeds,
        _digest(composition, members),
    )


def as_product(source: Path | Product) -> Product:
    """A product as it is; a file as the product of one model."""
    return source if isinstance(source, Product) else read_product({source.stem: source})


def _windows_of(member: Member, windows: Mapping[str, Sequence[str]] | None) -> tuple[str, ...]:
    """The window input that feeds each of its inputs: of that name, else in the order given."""
    names = tuple(spec.name for spec in member.inputs)
    given = names if windows is None else tuple(windows[member.name])
    if set(names) <= set(given):
        return names
    if len(names) != len(given):
        raise _misfit(
            f"'{member.name}' has {len(names)} inputs, fed by {', '.join(given)}",
            "name the window input of each",
        )
    return given


def _digest(composition: Composition, members: Sequence[Member]) -> str:
    digests = {member.name: member.model.sha256 for member in members}
    return sha256_text(json.dumps([asdict(composition), digests], sort_keys=True))


def _check(composition: Composition, members: Sequence[Member]) -> None:
    """Refuse models that the rule cannot join."""
    for member in members:
        ports = (*member.inputs, *member.outputs)
        if len(member.outputs) != 1 or not all(_whole(spec) for spec in ports):
            raise _misfit(
                f"'{member.name}' is not an int8 model with one output",
                "convert it with format 'int8'",
            )
    shapes = {m.name: m.outputs[0].shape for m in members[: len(composition.models)]}
    if len(set(shapes.values())) > 1:
        told = ", ".join(f"'{name}' {shape}" for name, shape in shapes.items())
        raise _misfit(
            f"its models answer in different shapes: {told}", "compose models of one task"
        )
    if composition.rule == "cascade" and next(iter(shapes.values()))[-1] < 2:
        raise _misfit("a cascade needs two scores, and its models give one", "use another rule")
    if composition.picks:
        scores = prod(members[-1].outputs[0].shape)
        wanted = len(composition.models)
        if scores != wanted and (scores, wanted) != (1, 2):
            raise _misfit(
                f"the selector '{composition.selector}' gives {scores} scores for {wanted} models",
                "train it with a class for each model",
            )


def _whole(spec: TensorSpec) -> bool:
    return spec.dtype == "int8" and bool(spec.scale) and spec.shape[:1] == (1,)


def _misfit(what: str, hint: str) -> KdEdgeError:
    return KdEdgeError("KD_SHAPE", f"the composition does not fit: {what}", hint=hint)


def _specs(model: TfliteModel, indices: Sequence[int]) -> tuple[TensorSpec, ...]:
    tensors = [model.tensors[index] for index in indices]
    return tuple(
        TensorSpec(
            t.name,
            t.shape,
            t.dtype,
            t.scales[0] if len(t.scales) == 1 else None,
            int(t.zero_points[0]) if len(t.scales) == 1 else None,
        )
        for t in tensors
    )
