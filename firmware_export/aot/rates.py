"""Figures that benchmarks/instruction_rates.py measured: instructions, not cycles."""

from __future__ import annotations

# (kernel, variant) -> gcc 12.2 -O2, instructions a multiply-accumulate, value, result and run.
RATES: dict[tuple[str, str], tuple[float, float, float, float]] = {
    ("kd_arg_max_s8", ""): (0.00, 10.00, 33.00, 0),
    ("kd_avg_pool_s8", ""): (0.00, 15.03, 9.14, 6),
    ("kd_conv_s8", ""): (4.99, 0.00, 78.74, 244),
    ("kd_conv_s8", "_dsp"): (0.61, 7.01, 23.83, 11411),
    ("kd_conv_s8", "_mve"): (0.08, 1.78, 29.42, 360),
    ("kd_conv_s8_row", "_dsp"): (1.14, 1.77, 20.00, 236),
    ("kd_copy", ""): (0.00, 0.00, 1.82, 381),
    ("kd_depthwise_s8", ""): (15.61, 0.00, 0.00, 12529),
    ("kd_depthwise_s8", "_dsp"): (6.74, 0.00, 0.00, 12332),
    ("kd_depthwise_s8", "_mve"): (5.97, 0.00, 0.00, 13005),
    ("kd_extremum_s8", ""): (0.00, 21.00, 0.00, 82),
    ("kd_fc_packed_s8", "_dsp"): (0.90, 3.84, 60.06, 95),
    ("kd_fc_s8", ""): (2.67, 6.32, 80.88, 34),
    ("kd_fill", ""): (0.00, 8.00, 0.00, 10),
    ("kd_lstm_packed_s8", "_dsp"): (0.91, 244.28, 0.00, 196),
    ("kd_lstm_s8", ""): (2.83, 93.97, 494.70, 0),
    ("kd_lstm_s8", "_mve"): (0.16, 166.36, 0.00, 255),
    ("kd_max_pool_s8", ""): (0.00, 14.23, 0.00, 382),
    ("kd_mul_s8", ""): (0.00, 56.00, 0.00, 89),
    ("kd_reduce_s8", ""): (0.00, 6.00, 108.00, 82),
    ("kd_resize_bilinear_s8", ""): (0.00, 9.68, 0.00, 1996),
    ("kd_softmax_s8", ""): (0.00, 98.22, 0.00, 995),
    ("kd_sum_s8", ""): (0.00, 91.00, 0.00, 90),
    ("kd_sum_s8", "_dsp"): (0.00, 77.00, 0.00, 92),
    ("kd_table_s8", ""): (0.00, 10.00, 0.00, 12),
}

# Core -> shares of executed instructions; 'mla' and 'long' multiplications (64 bits),
# 'narrow' ones of 16 bits, 'vector' ones of Helium.
MIXES: dict[str, dict[str, float]] = {
    "m3": {
        "load": 0.327,
        "store": 0.020,
        "taken": 0.123,
        "narrow": 0.465,
        "mla": 0.135,
        "long": 0.005,
        "vector": 0.000,
    },
    "m4": {
        "load": 0.217,
        "store": 0.047,
        "taken": 0.046,
        "narrow": 0.411,
        "mla": 0.008,
        "long": 0.003,
        "vector": 0.000,
    },
    "m55": {
        "load": 0.199,
        "store": 0.058,
        "taken": 0.053,
        "narrow": 0.508,
        "mla": 0.014,
        "long": 0.002,
        "vector": 0.055,
    },
}
