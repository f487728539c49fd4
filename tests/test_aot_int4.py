"""int4 weights in the plain-C engine; the oracle is the TFLite Micro interpreter's every byte."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from aot_harness import check_exact, computed
from aot_int4_models import with_int4_weights
from aot_matrix_models import DENSE_CASES, DenseCase, dense_model
from aot_models import some
from aot_window_models import Case, cases, fits, model
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from firmware_export.aot.compiler import CompileSettings, compile_model
from firmware_export.aot.layout import pack_s4
from kd_edge.base.errors import KdEdgeError

_SETTINGS = settings(max_examples=1, derandomize=True, deadline=None, phases=[Phase.generate])
_BY_LAYER = DENSE_CASES.map(lambda case: dataclasses.replace(case, by_row=False))
_WINDOWED = ("CONV_2D", "DEPTHWISE_CONV_2D")


def _some(count: int):
    """Cases of dense layers and of convolutions, in groups and not."""
    windowed = (cases(op).filter(fits) for op in _WINDOWED)
    return st.tuples(*(some(kind, count) for kind in (_BY_LAYER, *windowed)))


def _models(drawn) -> list[bytes]:
    dense, *windowed = drawn
    return [dense_model(case) for case in dense] + [model(c) for some in windowed for c in some]


def _computed(contents: list[bytes]) -> list[bytes]:
    return computed([with_int4_weights(content) for content in contents], but="32 bits")


def test_layers_of_any_shape_and_quantisation_answer_as_tflite_micro():
    @_SETTINGS
    @given(_some(7))
    def run(drawn):
        compiled = check_exact(_computed(_models(drawn)), n_windows=5)
        used = {layer.kernel for one in compiled for layer in one.layers}
        assert {"kd_fc_s4", "kd_conv_s4", "kd_conv_s4_groups", "kd_depthwise_s4"} <= used

    run()


@pytest.mark.qemu
@pytest.mark.parametrize("core", ["m3", "m4", "m55"])
def test_so_do_they_on_emulated_cores(core):
    @_SETTINGS
    @given(_some(2))
    def run(drawn):
        # Columns and rows around every multiple that a variant takes at a time.
        edges = [dense_model(DenseCase(n, 1 + n % 4, weights="ends")) for n in range(1, 14)]
        check_exact(_computed(_models(drawn) + edges), core=core, n_windows=4)

    run()


@pytest.mark.parametrize("core", ["host", "m4", "m55"])
@pytest.mark.parametrize(
    "content",
    [
        dense_model(DenseCase(300, 26)),
        model(Case("CONV_2D", (1, 8, 8, 12), (3, 3), channels=16)),
        model(Case("DEPTHWISE_CONV_2D", (1, 8, 8, 32), (5, 5), per_channel=False)),
    ],
)
def test_they_take_half_the_flash_of_int8_weights(core, content):
    def weights(model_bytes):
        compiled = compile_model(model_bytes, CompileSettings(core=core))
        return sum(layer.constant_bytes for layer in compiled.layers)

    plain = compile_model(content, CompileSettings())
    weight_bytes = next(n.inputs[1].data.size for n in plain.graph.nodes() if len(n.inputs) > 1)
    factors = weights(with_int4_weights(content)) - weight_bytes / 2
    assert factors <= plain.constant_bytes - weight_bytes + 0.02 * weight_bytes
    assert weights(with_int4_weights(content)) < 0.75 * weights(content)


def test_packed_rows_hold_each_weight_where_the_kernel_takes_it():
    rows = np.random.default_rng(3).integers(-8, 8, (5, 7)).astype(np.int8)
    packed = pack_s4(rows)
    pairs = packed[:-3].reshape(3, 7).astype(int)  # three bytes behind that may be read
    np.testing.assert_array_equal((pairs & 15) - 8, rows[0::2])
    np.testing.assert_array_equal((pairs >> 4)[:2] - 8, rows[1::2])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (with_int4_weights(dense_model(DenseCase(5, 3, by_row=True))), "scales by row"),
        (
            with_int4_weights(
                model(Case("TRANSPOSE_CONV", (1, 3, 3, 2), (2, 2), channels=2)), ("TRANSPOSE_CONV",)
            ),
            "int4",
        ),
    ],
)
def test_int4_weights_that_tflite_micro_does_not_take_are_named(content, reason):
    with pytest.raises(KdEdgeError, match=reason) as caught:
        compile_model(content, CompileSettings())
    assert caught.value.code == "KD_UNSUPPORTED_OP"
