"""What is wrong, or soon will be, with a converted model that every runtime would run alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kd_edge.base.flatbuffer import LSTM, Operator, Tensor, TfliteModel, read_tflite
from kd_edge.convert.loss import TensorLoss, attribute_loss, collect_activations
from kd_edge.convert.operators import check_layers
from kd_edge.runtimes.registry import ORACLE, RUNTIMES

__all__ = ["RULES", "LintFinding", "TensorLoss", "attribute_loss", "collect_activations", "lint"]

# Of a tensor's values at an end of its range; calibration leaves fewer out.
SATURATED_FRACTION = 0.02

_LSTM_HIDDEN_STATE = 18  # position among the operator's inputs
# Outputs whose range is fixed by the operator: values at its ends are their nature.
_BOUNDED = ("LOGISTIC", "SOFTMAX", "TANH")


@dataclass(frozen=True)
class LintFinding:
    """One thing that a rule found; the same fields as the report's `Finding`.

    Attributes:
        code: stable, e.g. 'KD_LINT_LSTM_SCALE'.
        severity: 'error' (wrong answers), 'warning' (wrong on a named runtime or kernel, or
            suspect), 'note' (slow).
        where: operators and tensors.
    """

    code: str
    severity: str
    message: str
    where: str
    hint: str


Activations = Mapping[int, np.ndarray]
Rule = Callable[[TfliteModel, Activations], Iterator[LintFinding]]


def lint(path: Path, *, activations: Activations | None = None) -> tuple[LintFinding, ...]:
    """Everything that the rules find in a `.tflite` file.

    Args:
        activations: tensor index -> (windows, ...) in the tensor's own type, as
            `collect_activations` gives them. Without, constant outputs are found only where the
            weights show them, and saturation not at all.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_TFLITE.
    """
    model = read_tflite(Path(path))
    check_layers(model)
    return tuple(finding for rule in RULES for finding in rule(model, activations or {}))


def _constant_output(model: TfliteModel, activations: Activations) -> Iterator[LintFinding]:
    for index in model.outputs:
        values = activations.get(index)
        if values is None or len(values) < 2 or (values != values[:1]).any():
            continue
        yield LintFinding(
            "KD_LINT_CONSTANT_OUTPUT",
            "error",
            f"the output is the same for all of {len(values)} windows",
            f"output '{model.tensors[index].name}'",
            "look at the layers with the most loss; an untrained model or a dead layer does this",
        )
    for op in model.operators:
        if op.name not in ("CONV_2D", "FULLY_CONNECTED"):
            continue
        weights = model.tensors[op.inputs[1]].data
        if weights is not None and weights.size and not weights.any():
            yield LintFinding(
                "KD_LINT_CONSTANT_OUTPUT",
                "error",
                "all weights of the layer are zero: what comes after does not depend on its input",
                _place(model, op),
                "train the model again; weight decay or a dead activation does this",
            )


def _lstm_scale(model: TfliteModel, activations: Activations) -> Iterator[LintFinding]:
    for op, output in _int8_lstms(model):
        state = model.tensors[op.inputs[_LSTM_HIDDEN_STATE]]
        alike = (state.scales, state.zero_points) == (output.scales, output.zero_points)
        if alike or not state.scales or not output.scales:
            continue
        yield LintFinding(
            "KD_LINT_LSTM_SCALE",
            "error",
            f"the LSTM's output has scale {output.scales[0]:.3g} and zero point "
            f"{output.zero_points[0]}, its hidden state {state.scales[0]:.3g} and "
            f"{state.zero_points[0]}: the output is mis-scaled on every runtime",
            _place(model, op),
            "give each branch its own Dense and add them (kd_edge.models.layers.FusionDense); a "
            "concatenation of LSTM outputs forces its scale on them",
        )


def _small_lstm_scale(model: TfliteModel, activations: Activations) -> Iterator[LintFinding]:
    limits = [r for r in RUNTIMES.values() if r.smallest_lstm_scale is not None]
    for op, output in _int8_lstms(model):
        for runtime in limits:
            if not output.scales or output.scales[0] >= runtime.smallest_lstm_scale:
                continue
            yield LintFinding(
                "KD_LINT_LITERT_LSTM_SCALE",
                "warning",
                f"the LSTM's output scale {output.scales[0]:.3g} is below "
                f"{runtime.smallest_lstm_scale}: {runtime.title} may give a constant, "
                f"{RUNTIMES[ORACLE].title} is right",
                _place(model, op),
                f"use the float form in {runtime.title}, or train longer: an LSTM that hardly "
                "moves has a small scale",
            )


def _saturated(model: TfliteModel, activations: Activations) -> Iterator[LintFinding]:
    bounded = {index for op in model.operators if op.name in _BOUNDED for index in op.outputs}
    for index, values in activations.items():
        tensor = model.tensors[index]
        if tensor.dtype != "int8" or index in bounded or not len(tensor.zero_points):
            continue
        # At zero point -128 the low end is zero: a ReLU's rest, not saturation.
        low = values == -128 if tensor.zero_points[0] > -128 else np.zeros(values.shape, bool)
        fraction = float(np.mean(low | (values == 127)))
        if fraction > SATURATED_FRACTION:
            yield LintFinding(
                "KD_LINT_SATURATED",
                "warning",
                f"{100 * fraction:.1f} % of the values stand at an end of int8",
                f"tensor '{tensor.name}'",
                "calibrate on more, and more varied, training windows",
            )


def _width_wrong(model: TfliteModel, activations: Activations) -> Iterator[LintFinding]:
    # https://github.com/espressif/esp-nn/issues/34: the ESP32-S3 kernel for a scale per channel
    # asks for multiples of 8 and gives answers that depend on the memory layout elsewhere.
    odd = [
        op
        for op in model.operators
        if op.name == "FULLY_CONNECTED"
        and model.tensors[op.inputs[1]].quantized_axis is not None
        and model.tensors[op.inputs[1]].shape[0] % 8
    ]
    if odd:
        yield LintFinding(
            "KD_LINT_WIDTH",
            "warning",
            "on ESP32-S3 with ESP-NN, Dense layers of these widths may answer wrongly: its kernel "
            "asks for multiples of 8 (espressif/esp-nn issue 34)",
            _places(model, odd),
            "on that chip build with CONFIG_NN_ANSI_C=y, or pad the layer; others are not affected",
        )


def _width_slow(model: TfliteModel, activations: Activations) -> Iterator[LintFinding]:
    # https://github.com/ARM-software/CMSIS_5/issues/1107: measured on a Cortex-M4F.
    odd = [
        op
        for op in model.operators
        if op.name in ("CONV_2D", "DEPTHWISE_CONV_2D")
        and model.tensors[op.inputs[1]].dtype == "int8"
        and model.tensors[op.outputs[0]].shape[-1] % 4
    ]
    if odd:
        yield LintFinding(
            "KD_LINT_WIDTH",
            "note",
            "CMSIS-NN is faster where the number of channels is a multiple of 4 "
            "(ARM-software/CMSIS_5 issue 1107)",
            _places(model, odd),
            "round the layer's width up in [[students]] options",
        )


def _padding(model: TfliteModel, activations: Activations) -> Iterator[LintFinding]:
    # https://github.com/espressif/esp-nn/issues/30 and /31: fixed there in the summer of 2026.
    odd = [op for op in model.operators if _pads_unevenly(model, op)]
    if odd:
        yield LintFinding(
            "KD_LINT_PADDING",
            "warning",
            "ESP-NN before August 2026 is wrong on ESP32-S3 where 'same' padding is uneven "
            "(espressif/esp-nn issues 30 and 31)",
            _places(model, odd),
            "on that chip take a newer ESP-NN, or build with CONFIG_NN_ANSI_C=y",
        )


# In the order in which a reader should see them.
RULES: tuple[Rule, ...] = (
    _constant_output,
    _lstm_scale,
    _small_lstm_scale,
    _saturated,
    _width_wrong,
    _padding,
    _width_slow,
)


def _int8_lstms(model: TfliteModel) -> Iterator[tuple[Operator, Tensor]]:
    for op in model.operators:
        if op.name == LSTM and model.tensors[op.outputs[0]].dtype == "int8":
            yield op, model.tensors[op.outputs[0]]


def _pads_unevenly(model: TfliteModel, op: Operator) -> bool:
    """Whether 'same' padding of an int8 convolution needs one more at the end than in front."""
    if op.name not in ("CONV_2D", "DEPTHWISE_CONV_2D") or op.options["padding"] != "SAME":
        return False
    given, kernel, made = (
        model.tensors[index].shape for index in (op.inputs[0], op.inputs[1], op.outputs[0])
    )
    if model.tensors[op.inputs[1]].dtype != "int8":
        return False
    for axis, side in ((1, "h"), (2, "w")):
        reach = (kernel[axis] - 1) * op.options[f"dilation_{side}_factor"] + 1
        total = (made[axis] - 1) * op.options[f"stride_{side}"] + reach - given[axis]
        if total > 0 and total % 2:
            return True
    return False


def _place(model: TfliteModel, op: Operator) -> str:
    return f"operator {op.index}, {op.name} '{model.tensors[op.outputs[0]].name}'"


def _places(model: TfliteModel, operators: list[Operator]) -> str:
    return "; ".join(
        f"{_place(model, op)}, width {model.tensors[op.outputs[0]].shape[-1]}" for op in operators
    )
