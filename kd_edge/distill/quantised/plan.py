"""Where the int8 form of a student rounds: which values have a grid, and which share one."""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

from kd_edge.base.errors import KdEdgeError

# Layer -> axes of its kernel that belong to one output channel.
WEIGHTED: dict[type, tuple[int, ...]] = {
    layers.Conv2D: (0, 1, 2),
    layers.DepthwiseConv2D: (0, 1),
    layers.Conv2DTranspose: (0, 1, 3),
    layers.Dense: (0,),
}
# Their output lies on the grid of what they take, all inputs on one.
_SAME = (
    layers.AveragePooling2D, layers.MaxPooling2D, layers.Concatenate,
    layers.Reshape, layers.Flatten, layers.ZeroPadding2D, layers.Cropping2D,
)  # fmt: skip
# They change values in training alone.
_PASSED = (layers.Dropout, layers.SpatialDropout2D, layers.GaussianNoise, layers.GaussianDropout)
_SUMS = (layers.Add, layers.Subtract, layers.Multiply)
_COMPUTED = (layers.ReLU, layers.Activation, *_SUMS, layers.GlobalAveragePooling2D)
# Their operators compute a ReLU behind them as well.
_WITH_RELU = (*WEIGHTED, *_SUMS)
_ROUNDING = (*WEIGHTED, *_COMPUTED, layers.AveragePooling2D)
# Activation -> (step, zero) that its int8 kernel always gives; None: its range is measured.
ACTIVATIONS: dict[str, tuple[float, int] | None] = {
    "linear": None,
    "relu": None,
    "sigmoid": (1 / 256, 0),
    "tanh": (1 / 128, 128),
}


@dataclass(frozen=True, eq=False)
class Plan:
    """What the int8 form does with each operation of a student.

    Attributes:
        folded: id of a weighted layer -> the batch normalisation behind it, which becomes a part
            of it. gone: ids of those batch normalisations.
        group: id of a tensor -> number of the grid that it lies on.
        rounded: ids of tensors that are rounded where they are made.
        fixed: number of a grid -> (step, zero) that a kernel fixes.
        takes, gives: id of a weighted layer or a mean -> number of the grid of its input, and of
            its output behind batch normalisation and a ReLU that its kernel computes as well.
        inner: id of a weighted layer with another activation at its end -> number of the grid of
            what that takes.
    """

    folded: dict[int, layers.BatchNormalization]
    gone: frozenset[int]
    group: dict[int, int]
    rounded: frozenset[int]
    fixed: dict[int, tuple[float, int]]
    takes: dict[int, int]
    gives: dict[int, int]
    inner: dict[int, int]


def plan_of(student: keras.Model) -> Plan:
    """The plan of a functional student.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: a layer that is not planned for, by its name.
    """
    operations = [op for op in student.operations if not isinstance(op, layers.InputLayer)]
    for op in operations:
        _check(op)
    consumers: dict[int, list] = {}
    for op in operations:
        for tensor in _taken(op):
            consumers.setdefault(id(tensor), []).append(op)
    folded = _folded(operations, consumers)
    gone = frozenset(id(norm) for norm in folded.values())
    group = _groups(student, operations, gone)
    rounded = {id(tensor) for tensor in student.inputs}
    outputs = {id(tensor) for tensor in student.outputs}
    takes, gives, inner = {}, {}, {}
    for op in operations:
        if type(op) not in _ROUNDING:
            continue
        made = _ends_at(op, consumers, gone)
        alone = type(op) in _WITH_RELU and id(made) not in outputs
        relu = _only_relu(made, consumers) if alone else None
        if relu is None:
            rounded.add(id(op.output))
        if type(op) in (*WEIGHTED, layers.GlobalAveragePooling2D):
            takes[id(op)] = group[id(_taken(op)[0])]
            gives[id(op)] = group[id((relu or op).output)]
            if activation_of(op) not in ("linear", "relu"):
                gives[id(op)] = inner[id(op)] = len(set(group.values())) + len(inner)
    fixed = _fixed(operations, group, rounded)
    return Plan(folded, gone, group, frozenset(rounded), fixed, takes, gives, inner)


def activation_of(op) -> str | None:
    """Name of the activation that a layer computes, by itself or at its end; None: another."""
    if type(op) is layers.ReLU:
        plain = not op.negative_slope and not op.threshold and op.max_value in (None, 6.0)
        return "relu" if plain else None
    name = getattr(getattr(op, "activation", None), "__name__", "linear")
    return name if name in ACTIVATIONS else None


def _check(op) -> None:
    known = type(op) in (*WEIGHTED, *_SAME, *_PASSED, *_COMPUTED, layers.BatchNormalization)
    if not known or activation_of(op) is None:
        raise _refused(op, "is not among the layers that can be fine-tuned behind int8's rounding")
    if len(op._inbound_nodes) != 1:
        raise _refused(op, "is used more than once")


def _refused(op, why: str) -> KdEdgeError:
    names = [kind.__name__ for kind in (*WEIGHTED, *_SAME, *_COMPUTED)]
    activation = getattr(getattr(op, "activation", None), "__name__", "")
    kind = f"{type(op).__name__}{', ' + activation if activation not in ('', 'linear') else ''}"
    return KdEdgeError(
        "KD_UNSUPPORTED_OP",
        f"the layer '{op.name}' ({kind}) {why}",
        where=f"layer '{op.name}'",
        hint=f"fine-tune a student of {', '.join(names)} and batch normalisation behind weights; "
        "an LSTM is quantised after training only",
    )


def _taken(op) -> list:
    return op._inbound_nodes[0].input_tensors


def _folded(operations, consumers) -> dict[int, layers.BatchNormalization]:
    """Weighted layer -> the batch normalisation that alone takes what it gives."""
    made_by = {id(op.output): op for op in operations}
    folded = {}
    for norm in operations:
        if type(norm) is not layers.BatchNormalization:
            continue
        (tensor,) = _taken(norm)
        before = made_by.get(id(tensor))
        alone = before is not None and len(consumers[id(tensor)]) == 1
        plain = alone and type(before) in WEIGHTED and activation_of(before) == "linear"
        if not plain or norm.axis not in (-1, len(norm.output.shape) - 1):
            raise _refused(norm, "does not stand directly behind a convolution or dense layer")
        folded[id(before)] = norm
    return folded


def _groups(student, operations, gone: frozenset[int]) -> dict[int, int]:
    """Tensor -> number of its grid: tensors that one kernel leaves on one grid have one number."""
    tensors = [*student.inputs, *(op.output for op in operations)]
    parent = {id(tensor): id(tensor) for tensor in tensors}

    def root(tensor: int) -> int:
        while parent[tensor] != tensor:
            tensor = parent[tensor]
        return tensor

    for op in operations:
        if type(op) in (*_SAME, *_PASSED) or id(op) in gone:
            for tensor in _taken(op):
                parent[root(id(tensor))] = root(id(op.output))
    number: dict[int, int] = {}
    return {id(tensor): number.setdefault(root(id(tensor)), len(number)) for tensor in tensors}


def _ends_at(op, consumers, gone: frozenset[int]):
    """What a layer gives, behind dropout and its own batch normalisation."""
    tensor = op.output
    while True:
        behind = consumers.get(id(tensor), [])
        if len(behind) != 1 or not (type(behind[0]) in _PASSED or id(behind[0]) in gone):
            return tensor
        tensor = behind[0].output


def _only_relu(tensor, consumers):
    """The ReLU that the operator that gives this computes as well, if nothing else takes it."""
    behind = consumers.get(id(tensor), [])
    if len(behind) != 1 or type(behind[0]) not in (layers.ReLU, layers.Activation):
        return None
    return behind[0] if activation_of(behind[0]) == "relu" else None


def _fixed(operations, group, rounded) -> dict[int, tuple[float, int]]:
    """Grids that a kernel fixes; nothing else may lie on them."""
    made: dict[int, list] = {}
    for op in operations:
        if id(op.output) in rounded:
            made.setdefault(group[id(op.output)], []).append(op)
    fixed = {}
    for number, makers in made.items():
        own = {ACTIVATIONS[activation_of(op)] for op in makers}
        if own != {None}:
            if len(own) > 1:
                raise _refused(makers[0], "shares one int8 grid with a sigmoid or tanh")
            (fixed[number],) = own
    return fixed
