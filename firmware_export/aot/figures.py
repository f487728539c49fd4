"""What each layer of a compiled model costs: the figures behind its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from firmware_export.aot.cores import Core
from firmware_export.aot.graph import tensor_bytes
from firmware_export.aot.kernels import kernel_variant
from firmware_export.aot.program import Call, StepCalls
from kd_edge.base.flatbuffer import Tensor


@dataclass(frozen=True)
class LayerFigure:
    """One call of a kernel.

    Attributes:
        place: of the operator that it computes, e.g. "operator 3 (CONV_2D)".
        variant: '', '_dsp' or '_mve', as the kernel's file ends.
        times: runs a window; more than 1 inside a loop over steps.
        macs: multiply-accumulates a window, all runs together.
        elements: values a window that the kernel goes through: of its largest activation, all runs.
        results: values a window that it writes, all runs.
        channels: values of one pixel, row or step of its results: their last axis.
        constant_bytes: weights, tables and factors that it adds to flash; what an earlier call
            brought already is counted there.
        output_bytes: of one run's results.
        laid: values that the kernel has to lay side by side before it multiplies them, all runs: of
            windows that lie in pieces in the input, or of a depthwise convolution's strips.
        laid_run: how many of these adjoin in the input; 0 where there are no such values.
    """

    place: str
    kernel: str
    variant: str
    times: int
    macs: int
    elements: int
    results: int
    channels: int
    constant_bytes: int
    output_bytes: int
    laid: int = 0
    laid_run: int = 0


def layer_figures(
    items: Sequence[Call | StepCalls], constant_bytes: Sequence[int], core: Core
) -> tuple[LayerFigure, ...]:
    """Figures of every call, in order.

    Args:
        constant_bytes: what each call added to flash, in the order of calls.
    """
    timed = [
        (call, item.steps if isinstance(item, StepCalls) else 1)
        for item in items
        for call in (item.calls if isinstance(item, StepCalls) else (item,))
    ]
    return tuple(
        _figure(call, times, n_bytes, core)
        for (call, times), n_bytes in zip(timed, constant_bytes, strict=True)
    )


def _figure(call: Call, times: int, constant_bytes: int, core: Core) -> LayerFigure:
    activations = [a for a in call.args if isinstance(a, Tensor) and a.data is None]
    written = [call.args[i] for i in call.writes if isinstance(call.args[i], Tensor)]
    return LayerFigure(
        place=call.place,
        kernel=call.kernel,
        variant=kernel_variant(call.kernel, core),
        times=times,
        macs=call.macs * times,
        elements=max((prod(tensor.shape) for tensor in activations), default=0) * times,
        results=sum(prod(tensor.shape) for tensor in written) * times,
        channels=next((tensor.shape[-1] for tensor in written if tensor.shape), 1),
        constant_bytes=constant_bytes,
        output_bytes=sum(tensor_bytes(tensor) for tensor in written),
        **_laid(call, times),
    )


def _laid(call: Call, times: int) -> dict[str, int]:
    p = call.params
    if call.kernel == "kd_conv_s8" and p["last_direct"] < 0:
        pixels = p["batches"] * p["out_rows"] * p["out_columns"]
        return {"laid": pixels * p["window_bytes"] * times, "laid_run": p["run_bytes"]}
    if call.kernel in ("kd_conv_strips_s8", "kd_depthwise_strips_s8"):
        shared = p["column_step"] == 1 and p["stride_columns"] <= p["kernel_columns"]
        apart = p["stride_columns"] if shared else p["kernel_columns"]
        columns = (p["out_columns"] - 1) * apart + p["kernel_columns"]
        bands = p["batches"] * -(-p["out_rows"] // p["band_rows"])
        rows = bands * ((p["band_rows"] - 1) * p["stride_rows"] + p["kernel_rows"])
        row = columns * p["in_channels"]
        # Of a depthwise convolution each channel goes its own way.
        run = min(p["block"], p["in_channels"]) or row
        return {"laid": rows * row * times, "laid_run": run}
    return {}
