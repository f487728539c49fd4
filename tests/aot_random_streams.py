"""Random models over time, from a seed: what keeping columns from hop to hop is compared on."""

from __future__ import annotations

from fractions import Fraction

from aot_drawing import Draw
from aot_random_layers import binary, conv, dense, pool, reduce, unary
from aot_random_moves import concatenation, cut, pad, reshape, split

from firmware_export.aot.compiler import CompileSettings, compile_model
from kd_edge.base.errors import KdEdgeError


def random_stream(seed: int) -> tuple[bytes, tuple[int, ...]]:
    """The file's bytes and the samples of each input: one or two inputs, two to eight operators."""
    draw = Draw(seed)
    lengths = []
    samples = draw.rng.randint(12, 40)
    for factor in draw.rng.choice(((1,), (1,), (1, 1), (1, 2))):
        channels = draw.rng.randint(1, 4)
        shape = draw.rng.choice(
            ((1, 1, samples * factor, channels), (1, samples * factor, 3, channels))
        )
        draw.values.append(draw.make(shape))
        draw.inputs.append(draw.values[-1].index)
        lengths.append(samples * factor)
    wanted, tries = draw.rng.randint(2, 8), 0
    while draw.n_operators < wanted and tries < 60:
        tries += 1
        draw.rng.choice(_OPERATORS)(draw)
    return draw.content(), tuple(lengths)


def hop_taken(content: bytes, lengths: tuple[int, ...]) -> Fraction | None:
    """A hop that the model takes, if there is one; others must be refused with a reason."""
    for samples in _TRIED:
        hop = Fraction(samples, min(lengths))
        try:
            compile_model(content, CompileSettings(hop=hop))
        except KdEdgeError as error:
            assert error.code in ("KD_UNSUPPORTED_OP", "KD_USAGE"), error  # noqa: PT017
        else:
            return hop
    return None


_TRIED = (6, 9, 4, 8, 3, 2, 1)
_OPERATORS = (
    *(conv, conv, conv, conv, conv, pool, pool, binary, binary, unary, unary),
    *(concatenation, dense, reduce, reshape, cut, pad, split),
)
