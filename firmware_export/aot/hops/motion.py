"""How a tensor's values move when the window moves on, and how operators pass that on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

from firmware_export.aot.graph import Node
from firmware_export.aot.lower.conv_geometry import Geometry, geometry_of
from firmware_export.aot.verify import moving
from kd_edge.base.flatbuffer import Tensor

CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
_POOLS = frozenset({"AVERAGE_POOL_2D", "MAX_POOL_2D"})
# What they give at one moment depends on that moment alone, unless they work along time.
_BY_COLUMN = frozenset(
    {
        *("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "QUANTIZE", "DEQUANTIZE"),
        *("LOGISTIC", "TANH", "RELU", "RELU6", "LEAKY_RELU", "HARD_SWISH", "ABS"),
        *("CONCATENATION", "FULLY_CONNECTED", "SOFTMAX"),
    }
)

# Makes a tensor of a shape that begins at a value of a tensor, wherever that lies now.
At = Callable[[Tensor, tuple[int, ...], int], Tensor]


class Mixed(Exception):  # noqa: N818  no error: it says why all values are to be computed anew
    """An operator's result cannot be kept; the text says why."""


@dataclass(frozen=True)
class Motion:
    """What becomes of a tensor's values when the window moves on by a hop.

    Attributes:
        shift: values by which they move to the front.
        first, end: from `first` up to, not including, `end` they are the old ones, moved. The
            others are to be computed.
    """

    shift: int
    first: int
    end: int

    def part(self, start: int, size: int) -> Motion:
        """The same of `size` values of the tensor, counted from `start`."""
        first = min(max(self.first - start, 0), size)
        return Motion(self.shift, first, max(min(self.end - start, size), first))


class Walk:
    """An operator that works along time: columns of the result come from columns of operands."""

    def __init__(self, node: Node, axis: int):
        self.node, self.axis = node, axis
        self.result = node.outputs[0]
        self.columns = self.result.shape[axis]
        self.column = prod(self.result.shape) // self.columns

    def motion(self, operands: Sequence[Motion]) -> Motion:
        """The result's, from that of each computed operand.

        Raises:
            Mixed: it cannot be kept.
        """
        raise NotImplementedError

    def reads(self, first: int, end: int) -> list[tuple[int, int]]:
        """Values of each computed operand that these columns of the result are computed from."""
        raise NotImplementedError

    def part(self, first: int, end: int, at: At) -> Node:
        """The operator for these columns of the result alone."""
        raise NotImplementedError

    def _result(self, first: int, end: int, at: At) -> tuple[Tensor]:
        shape = _along(self.result.shape, self.axis, end - first)
        return (at(self.result, shape, first * self.column),)

    def _place(self, first: int, end: int) -> str:
        return f"{self.node.place}, columns {first} to {end - 1}"


def walk_of(node: Node) -> Walk:
    """How an operator works along time, if it does.

    Raises:
        Mixed: it does not.
    """
    if node.op in CONVOLUTIONS | _POOLS:
        return _Windows(node)
    if node.op in _BY_COLUMN:
        return _Columns(node)
    raise Mixed("it needs the whole window")


# --- convolutions and pools ---


class _Windows(Walk):
    """Windows of `reach` columns, `stride` apart, the first one `before` columns early."""

    def __init__(self, node: Node):
        self.source = node.inputs[0]
        g = self._geometry = geometry_of(node, _kernel(node))
        if g.batches > 1:
            raise Mixed(f"its input {self.source.shape} holds several windows")
        by_row = g.in_rows > 1
        super().__init__(node, 1 if by_row else 2)
        self.reach, self.stride, self.before, self.size = _along_time(g, by_row=by_row)
        self.source_column = prod(self.source.shape) // self.size

    def motion(self, operands: Sequence[Motion]) -> Motion:
        (moved,) = operands
        hop, rest = divmod(moved.shift, self.source_column)
        if rest:
            values = f"{moved.shift} values, by which its input moves"
            raise Mixed(f"its columns of {self.source_column} values do not divide {values}")
        if hop % self.stride:
            moves = f"the {hop} columns by which its input moves"
            raise Mixed(f"its stride of {self.stride} does not divide {moves}")
        step = hop // self.stride
        known = -(-moved.first // self.source_column), moved.end // self.source_column
        first = max(-(-(known[0] + self.before) // self.stride), 0)
        end = (known[1] - self.reach + self.before) // self.stride + 1
        return _moved(step, first, end, self)

    def reads(self, first: int, end: int) -> list[tuple[int, int]]:
        start, stop = self._inside(first, end)
        return [(start * self.source_column, stop * self.source_column)]

    def part(self, first: int, end: int, at: At) -> Node:
        start, stop = self._inside(first, end)
        above = start - (first * self.stride - self.before)
        below = (end - 1) * self.stride - self.before + self.reach - stop
        shape = _along(self.source.shape, self.axis, stop - start)
        source = at(self.source, shape, start * self.source_column)
        return replace(
            self.node,
            place=self._place(first, end),
            inputs=(source, *self.node.inputs[1:]),
            outputs=self._result(first, end, at),
            options={**self.node.options, "padding": "VALID"},
            padding=self._padding(above, below),
        )

    def _inside(self, first: int, end: int) -> tuple[int, int]:
        """The columns of the input that some columns of the result are computed from."""
        start = max(first * self.stride - self.before, 0)
        stop = min((end - 1) * self.stride - self.before + self.reach, self.size)
        # Windows of padding alone have one column beside it, as TFLite's geometry needs.
        start = min(start, self.size - 1)
        return start, max(stop, start + 1)

    def _padding(self, above: int, below: int) -> tuple[int, int, int, int]:
        """Rows and columns of padding, with all that the operator's own scheme adds."""
        g, along = self._geometry, (above, below)
        if self.axis == 1:
            reach = (g.kernel_columns - 1) * g.column_step + 1
            return (
                *along,
                *_beside(g.in_columns, g.out_columns, g.stride_columns, reach, g.pad_columns),
            )
        reach = (g.kernel_rows - 1) * g.row_step + 1
        return (*_beside(g.in_rows, g.out_rows, g.stride_rows, reach, g.pad_rows), *along)


def _kernel(node: Node) -> tuple[int, int]:
    if node.op in _POOLS:
        return int(node.options["filter_height"]), int(node.options["filter_width"])
    return node.inputs[1].shape[1:3]


def _along_time(g: Geometry, *, by_row: bool) -> tuple[int, int, int, int]:
    """Reach, stride, padding before the first column, and number of columns."""
    if by_row:
        return (g.kernel_rows - 1) * g.row_step + 1, g.stride_rows, g.pad_rows, g.in_rows
    reach = (g.kernel_columns - 1) * g.column_step + 1
    return reach, g.stride_columns, g.pad_columns, g.in_columns


def _beside(size: int, out: int, stride: int, reach: int, before: int) -> tuple[int, int]:
    """Padding along the other axis, stated: before, and behind what the last window needs."""
    return before, max((out - 1) * stride + reach - size - before, 0)


# --- column by column ---


class _Columns(Walk):
    """Each column of the result comes from the same column of each operand."""

    def __init__(self, node: Node):
        shape = node.outputs[0].shape
        axis = next((i for i, size in enumerate(shape) if size > 1), len(shape) - 1)
        super().__init__(node, axis)
        if _works_along(node, axis):
            raise Mixed("it works along time")
        for tensor in node.inputs[: _operands(node)]:
            if tensor is not None and tensor.data is not None and self._size(tensor) != 1:
                raise Mixed("one of its operands is a constant that differs over time")
        for tensor in moving(node):
            if self._size(tensor) != self.columns:
                raise Mixed("one of its operands is of the whole window")

    def motion(self, operands: Sequence[Motion]) -> Motion:
        hops, first, end = set(), 0, self.columns
        for tensor, moved in zip(moving(self.node), operands, strict=True):
            column = prod(tensor.shape) // self.columns
            hop, rest = divmod(moved.shift, column)
            if rest:
                raise Mixed("its operands move by parts of their columns")
            hops.add(hop)
            first, end = max(first, -(-moved.first // column)), min(end, moved.end // column)
        if len(hops) > 1:
            counts = " and ".join(str(hop) for hop in sorted(hops))
            raise Mixed(f"its operands move by {counts} columns")
        return _moved(hop, first, end, self)

    def reads(self, first: int, end: int) -> list[tuple[int, int]]:
        sizes = [prod(tensor.shape) // self.columns for tensor in moving(self.node)]
        return [(first * size, end * size) for size in sizes]

    def part(self, first: int, end: int, at: At) -> Node:
        def cut(tensor: Tensor | None) -> Tensor | None:
            if tensor is None or tensor.data is not None:
                return tensor
            axis = self.axis - len(self.result.shape) + len(tensor.shape)
            size = prod(tensor.shape) // self.columns
            return at(tensor, _along(tensor.shape, axis, end - first), first * size)

        return replace(
            self.node,
            place=self._place(first, end),
            inputs=tuple(cut(tensor) for tensor in self.node.inputs),
            outputs=self._result(first, end, at),
        )

    def _size(self, tensor: Tensor) -> int:
        """Places of an operand along time."""
        axis = self.axis - len(self.result.shape) + len(tensor.shape)
        return tensor.shape[axis] if axis >= 0 else 1


def _operands(node: Node) -> int | None:
    """How many of the inputs are operands, and not weights."""
    return 1 if node.op == "FULLY_CONNECTED" else None


def _works_along(node: Node, axis: int) -> bool:
    last = len(node.outputs[0].shape) - 1
    if node.op == "CONCATENATION":
        return int(node.options["axis"]) % (last + 1) == axis
    return node.op in ("SOFTMAX", "FULLY_CONNECTED") and axis == last


def _moved(hop: int, first: int, end: int, walk: Walk) -> Motion:
    """By so many columns; those from `first` up to `end` are the old ones, if those were there."""
    end = min(end, walk.columns - hop)
    first, end = (first, end) if end > first else (0, 0)
    return Motion(hop * walk.column, first * walk.column, end * walk.column)


def _along(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    return (*shape[:axis], size, *shape[axis + 1 :])
