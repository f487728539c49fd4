"""Where a convolution's or pooling's windows lie: TFLite's rules for padding and output sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from firmware_export.aot.graph import Node, refuse

# Sizes of images and strides are uint16_t in the kernels' parameters.
MAX_SIZE = 65535

# Members of the parameters of every kernel over windows.
_MEMBERS = (
    *("batches", "in_rows", "in_columns", "kernel_rows", "stride_rows", "stride_columns"),
    *("pad_rows", "pad_columns", "out_rows", "out_columns"),
)


@dataclass(frozen=True)
class Geometry:
    """Windows over NHWC images, in pixels.

    Attributes:
        batches: images.
        in_rows, in_columns, in_channels: of the input.
        kernel_rows, kernel_columns: of the filter.
        stride_rows, stride_columns: from one window to the next.
        row_step, column_step: dilation.
        pad_rows, pad_columns: above and left of the first pixel; what is below and right follows.
        out_rows, out_columns: of the output.
    """

    batches: int
    in_rows: int
    in_columns: int
    in_channels: int
    kernel_rows: int
    kernel_columns: int
    stride_rows: int
    stride_columns: int
    row_step: int
    column_step: int
    pad_rows: int
    pad_columns: int
    out_rows: int
    out_columns: int

    @property
    def pixels(self) -> int:
        """Output pixels of all images."""
        return self.batches * self.out_rows * self.out_columns

    @property
    def taps(self) -> int:
        """Pixels of a window."""
        return self.kernel_rows * self.kernel_columns

    def members(self, *more: str) -> dict[str, int]:
        """What the parameters of every kernel over windows hold, and `more` of the attributes."""
        return {name: getattr(self, name) for name in (*_MEMBERS, *more)}


def geometry_of(node: Node, kernel: tuple[int, int]) -> Geometry:
    """The geometry of a node with a filter of `kernel` rows and columns.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: the output's shape is not what padding and strides give, or
            a size does not fit the kernels.
    """
    source, result = node.inputs[0], node.outputs[0]
    if len(source.shape) != 4 or len(result.shape) != 4:
        shapes = f"{source.shape} and {result.shape}"
        what = f"its input and result are {shapes}, not both (batch, rows, columns, channels)"
        raise refuse(node, what, "export it again")
    options = node.options
    strides = int(options["stride_h"]), int(options["stride_w"])
    steps = _dilation(options)
    if min(*strides, *steps, *kernel) < 1:
        raise refuse(node, "a stride, a dilation or the filter is not positive", "export it again")
    batches, in_rows, in_columns, in_channels = source.shape
    padding = str(options["padding"])
    above, below, left, right = node.padding
    rows = _along(padding, in_rows + above + below, kernel[0], strides[0], steps[0])
    columns = _along(padding, in_columns + left + right, kernel[1], strides[1], steps[1])
    expected = (batches, rows.size, columns.size)
    if result.shape[:3] != expected or min(expected) < 1:
        raise refuse(
            node,
            f"its output is {result.shape}, but {padding} padding gives {expected} pixels",
            "export the model again",
        )
    geometry = Geometry(
        batches=batches,
        in_rows=in_rows,
        in_columns=in_columns,
        in_channels=in_channels,
        kernel_rows=kernel[0],
        kernel_columns=kernel[1],
        stride_rows=strides[0],
        stride_columns=strides[1],
        row_step=steps[0],
        column_step=steps[1],
        pad_rows=above + rows.before,
        pad_columns=left + columns.before,
        out_rows=rows.size,
        out_columns=columns.size,
    )
    check_sizes(node, *vars(geometry).values(), result.shape[3])
    return geometry


def check_sizes(node: Node, *sizes: int) -> None:
    """Refuse what the kernels' 16-bit parameters cannot hold."""
    if max(sizes) > MAX_SIZE:
        raise refuse(node, f"a size of {max(sizes)} is above {MAX_SIZE}", "use smaller layers")


def _dilation(options: Mapping[str, object]) -> tuple[int, int]:
    return int(options.get("dilation_h_factor", 1)), int(options.get("dilation_w_factor", 1))


@dataclass(frozen=True)
class _Along:
    """One direction: output size, and padding before the first pixel."""

    size: int
    before: int


def _along(padding: str, size: int, kernel: int, stride: int, step: int) -> _Along:
    reach = (kernel - 1) * step + 1
    out = -(-size // stride) if padding == "SAME" else (size - reach + stride) // stride
    return _Along(out, padding_before(padding, size, reach, stride))


def padding_before(padding: str, size: int, reach: int, stride: int) -> int:
    """Pixels that the scheme 'SAME' or 'VALID' adds before `size` pixels; `reach` is a window's."""
    if padding != "SAME":
        return 0
    return max((-(-size // stride) - 1) * stride + reach - size, 0) // 2


def even_parts(size: int) -> list[int]:
    """Sizes of parts that are as even as can be, for every count of them; the smallest first."""
    return sorted({-(-size // parts) for parts in range(1, size + 1)})
