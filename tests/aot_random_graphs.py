"""Random models of several operators, from a seed: what the plain-C engine is compared on."""

from __future__ import annotations

from aot_drawing import Draw
from aot_random_layers import (
    arg_max,
    binary,
    conv,
    dense,
    lstm,
    other_type,
    pool,
    reduce,
    transpose_conv,
    unary,
)
from aot_random_moves import (
    concatenation,
    cut,
    pad,
    reshape,
    resize,
    split,
    squeeze,
    transpose,
)


def random_graph(seed: int) -> bytes:
    """The file's bytes: one or two inputs, two to nine operators, one to three outputs."""
    draw = Draw(seed)
    for _ in range(draw.rng.choice((1, 1, 2))):
        draw.input()
    wanted, tries = draw.rng.randint(2, 9), 0
    while draw.n_operators < wanted and tries < 60:
        tries += 1
        draw.rng.choice(_OPERATORS)(draw)
    return draw.content()


# Layers that models are made of come more often.
_OPERATORS = (
    *(conv, conv, conv, dense, dense, lstm, lstm, lstm, pool, binary, binary, binary),
    *(unary, unary, unary, transpose_conv, other_type, reduce, arg_max, reshape, reshape, reshape),
    *(squeeze, concatenation, split, cut, transpose, pad, pad, resize),
)
