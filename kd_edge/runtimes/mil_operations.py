"""What the operations of a Core ML program compute, in NumPy.

Each is one function of the operation's arguments, by their names, as Apple defines them:
https://apple.github.io/coremltools/source/coremltools.converters.mil.mil.ops.defs.html (iOS 15).
Images and windows are (batch, channels, *places); arguments that say how are arrays, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import expit

Computed = np.ndarray | Sequence[np.ndarray]


def _alone(function: Callable[[np.ndarray], np.ndarray]):
    """A function of one array as an operation, whose argument has a name."""

    def computed(x):
        return function(x)

    return computed


def _reshape(x, shape):
    # A 0 stands for the length that the axis has.
    return x.reshape([x.shape[i] if n == 0 else int(n) for i, n in enumerate(shape)])


def _matmul(x, y, transpose_x=False, transpose_y=False):
    left = x.swapaxes(-1, -2) if transpose_x else x
    return left @ (y.swapaxes(-1, -2) if transpose_y else y)


def _linear(x, weight, bias=0.0):
    return x @ weight.T + bias


def _split(x, axis, num_splits=None, split_sizes=None):
    if split_sizes is None:
        return np.split(x, int(num_splits), axis=int(axis))
    return np.split(x, np.cumsum(split_sizes)[:-1], axis=int(axis))


def _slice(x, begin, end, stride=None, begin_mask=None, end_mask=None, squeeze_mask=None):
    axes = range(x.ndim)
    taken = []
    for axis in axes:
        if squeeze_mask is not None and squeeze_mask[axis]:
            taken.append(int(begin[axis]))
            continue
        first = None if begin_mask is not None and begin_mask[axis] else int(begin[axis])
        last = None if end_mask is not None and end_mask[axis] else int(end[axis])
        taken.append(slice(first, last, 1 if stride is None else int(stride[axis])))
    return x[tuple(taken)]


def _reduce_mean(x, axes=None, keep_dims=False):
    over = None if axes is None else tuple(int(axis) for axis in axes)
    return x.mean(axis=over, keepdims=bool(keep_dims), dtype=x.dtype)


def _batch_norm(x, mean, variance, gamma=None, beta=None, epsilon=1e-5):
    channels = (-1, *(1,) * (x.ndim - 2))
    scale = (1 if gamma is None else gamma) / np.sqrt(variance + epsilon)
    offset = (0 if beta is None else beta) - mean * scale
    return x * scale.reshape(channels) + offset.reshape(channels)


# --- over neighbouring places ---


def _conv(x, weight, bias=None, strides=None, pad_type="valid", pad=None, dilations=None, groups=1):
    kernel, groups = weight.shape[2:], int(groups)
    strides, dilations = _by_axis(strides, kernel), _by_axis(dilations, kernel)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
    around = _padding(str(pad_type), pad, x.shape[2:], reach, strides)
    x = np.pad(x, [(0, 0), (0, 0), *around])
    places = [(n - k) // s + 1 for n, k, s in zip(x.shape[2:], reach, strides, strict=True)]
    rows = weight.reshape(groups, weight.shape[0] // groups, weight.shape[1], -1)
    rows = np.ascontiguousarray(np.moveaxis(rows, -1, 0))  # a tap's weights side by side are quick
    y = np.zeros((x.shape[0], *rows.shape[1:3], math.prod(places)), x.dtype)
    for tap, of_tap in zip(np.ndindex(*kernel), rows, strict=True):
        seen = tuple(
            slice(t * d, t * d + s * (n - 1) + 1, s)
            for t, d, s, n in zip(tap, dilations, strides, places, strict=True)
        )
        y += of_tap @ x[(..., *seen)].reshape(x.shape[0], groups, weight.shape[1], -1)
    y = y.reshape(x.shape[0], -1, *places)
    return y if bias is None else y + bias.reshape(-1, *(1,) * len(kernel))


def _conv_transpose(
    x, weight, bias=None, strides=None, pad_type="valid", pad=None, output_shape=None, **how
):
    if how.pop("groups", 1) != 1 or any(np.ravel(how.pop("dilations", 1)) != 1) or how:
        raise ValueError("conv_transpose with groups or dilations")
    kernel = weight.shape[2:]
    strides = _by_axis(strides, kernel)
    spread = [s * (n - 1) + k for n, s, k in zip(x.shape[2:], strides, kernel, strict=True)]
    y = np.zeros((x.shape[0], weight.shape[1], *spread), x.dtype)
    for place in np.ndindex(*kernel):
        covered = tuple(
            slice(p, p + s * n, s) for p, s, n in zip(place, strides, x.shape[2:], strict=True)
        )
        y[(..., *covered)] += np.einsum("bc...,co->bo...", x, weight[(..., *place)])
    if str(pad_type) == "same":
        kept = [s * n for s, n in zip(strides, x.shape[2:], strict=True)]
        first = [(a - b) // 2 for a, b in zip(spread, kept, strict=True)]
    else:
        pads = [0] * 2 * len(kernel) if pad is None else [int(p) for p in pad]
        first = pads[::2]
        kept = [a - f - p for a, f, p in zip(spread, first, pads[1::2], strict=True)]
        if output_shape is not None:
            kept = [int(n) for n in output_shape[2:]]
    y = y[(..., *(slice(f, f + n) for f, n in zip(first, kept, strict=True)))]
    return y if bias is None else y + bias.reshape(-1, *(1,) * len(kernel))


def _max_pool(x, kernel_sizes, strides=None, pad_type="valid", pad=None, ceil_mode=False):
    seen = _pooled(x, kernel_sizes, strides, pad_type, pad, ceil_mode, -np.inf)
    return seen.max(axis=tuple(range(-len(kernel_sizes), 0)))


def _avg_pool(
    x,
    kernel_sizes,
    strides=None,
    pad_type="valid",
    pad=None,
    exclude_padding_from_average=False,
    ceil_mode=False,
):
    axes = tuple(range(-len(kernel_sizes), 0))
    how = (kernel_sizes, strides, pad_type, pad, ceil_mode, 0.0)
    total = _pooled(x, *how).sum(axis=axes, dtype=x.dtype)
    if not exclude_padding_from_average:
        return total / np.float32(math.prod(int(k) for k in kernel_sizes))
    return total / _pooled(np.ones_like(x), *how).sum(axis=axes, dtype=x.dtype)


def _pooled(x, kernel_sizes, strides, pad_type, pad, ceil_mode, outside):
    if ceil_mode:
        raise ValueError("pooling that rounds its size up")
    kernel = [int(k) for k in kernel_sizes]
    strides = _by_axis(strides, kernel)
    around = _padding(str(pad_type), pad, x.shape[2:], kernel, strides)
    return _neighbours(x, kernel, strides, around, outside)


def _upsample_bilinear(x, scale_factor_height=1, scale_factor_width=1, align_corners=True):
    for axis, factor in ((2, scale_factor_height), (3, scale_factor_width)):
        n = x.shape[axis]
        m = math.floor(n * float(factor))
        if align_corners:
            at = np.arange(m) * ((n - 1) / max(m - 1, 1))
        else:
            at = np.clip((np.arange(m) + 0.5) / float(factor) - 0.5, 0, n - 1)
        low = np.minimum(at.astype(int), max(n - 2, 0))
        high = np.minimum(low + 1, n - 1)
        part = (at - low).astype(np.float32).reshape(-1, *(1,) * (3 - axis))
        x = x.take(low, axis) * (1 - part) + x.take(high, axis) * part
    return x


def _by_axis(given, kernel: Sequence[int]) -> list[int]:
    return [1] * len(kernel) if given is None else [int(n) for n in given]


def _padding(how: str, pad, places, reach, strides) -> list[tuple[int, int]]:
    """What stands before and behind each axis of places."""
    if how == "custom":
        return [(int(a), int(b)) for a, b in zip(pad[::2], pad[1::2], strict=True)]
    if how == "valid":
        return [(0, 0)] * len(reach)
    around = []
    for n, k, s in zip(places, reach, strides, strict=True):
        more = max((-(-n // s) - 1) * s + k - n, 0)
        less, rest = more // 2, more - more // 2
        around.append((less, rest) if how == "same" else (rest, less))
    return around


def _neighbours(x, reach, strides, around, outside) -> np.ndarray:
    """(batch, channels, *places, *reach): what each place of the result is computed from."""
    x = np.pad(x, [(0, 0), (0, 0), *around], constant_values=outside)
    axes = tuple(range(2, 2 + len(reach)))
    seen = np.lib.stride_tricks.sliding_window_view(x, tuple(reach), axes)
    return seen[(slice(None), slice(None), *(slice(None, None, s) for s in strides))]


OPERATIONS: dict[str, Callable[..., Computed]] = {
    "abs": _alone(np.abs),
    "add": lambda x, y: x + y,
    "avg_pool": _avg_pool,
    "batch_norm": _batch_norm,
    "concat": lambda values, axis, interleave=False: np.concatenate(values, axis=int(axis)),
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "linear": _linear,
    "matmul": _matmul,
    "max_pool": _max_pool,
    "mul": lambda x, y: x * y,
    "reduce_mean": _reduce_mean,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "reshape": _reshape,
    "sigmoid": _alone(expit),
    "slice_by_index": _slice,
    "split": _split,
    "squeeze": lambda x, axes=None: np.squeeze(x, None if axes is None else tuple(axes)),
    "stack": lambda values, axis: np.stack(values, axis=int(axis)),
    "sub": lambda x, y: x - y,
    "tanh": _alone(np.tanh),
    "transpose": lambda x, perm: x.transpose(perm),
    "upsample_bilinear": _upsample_bilinear,
}
# Arguments of several values, which stay a list where there is one.
LISTS = frozenset({"values"})
