"""A random model under construction: the tensors that are there, and how new ones are drawn."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from tflite_samples import GraphBuilder

MOST_VALUES = 2000  # of a tensor: TFLite Micro and sanitized C take long over large ones
LIMITS = {"int8": (-128, 127), "int16": (-32768, 32767)}


@dataclass(frozen=True)
class Value:
    """A tensor that later operators may read."""

    index: int
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero: int

    @property
    def quantised(self) -> dict:
        return {"scale": self.scale, "zero_point": self.zero}


class Draw:
    """A model under construction, with the tensors that are there to be read."""

    def __init__(self, seed: int):
        self.rng = random.Random(seed)
        self.np = np.random.default_rng(seed)
        self.graph = GraphBuilder()
        self.values: list[Value] = []
        self.inputs: list[int] = []
        self.ends: list[int] = []  # tensors that nothing reads on, of other types
        self.dtype = self.rng.choice(("int8", "int8", "int8", "int16"))
        self.n_operators = 0

    # --- tensors ---

    def scale(self, dtype: str) -> float:
        return 10 ** self.rng.uniform(-2.3, -0.7) / (1 if dtype == "int8" else 128)

    def zero(self, dtype: str) -> int:
        return 0 if dtype == "int16" else self.rng.choice((0, -128, 127, self.rng.randint(-99, 99)))

    def make(self, shape, *, like: Value | None = None, scale=None, zero=None, dtype=None) -> Value:
        """A computed tensor; quantised as another one, as stated, or anyhow."""
        dtype = dtype or (like.dtype if like else self.dtype)
        scale = scale or (like.scale if like else self.scale(dtype))
        zero = zero if zero is not None else like.zero if like else self.zero(dtype)
        index = self.graph.tensor(
            f"t{len(self.values)}", shape, dtype, scale=scale, zero_point=zero
        )
        return Value(index, tuple(shape), dtype, float(np.float32(scale)), zero)

    def input(self) -> None:
        shape = self.rng.choice(
            (
                (1, self.rng.randint(1, 6), self.rng.randint(1, 7), self.rng.randint(1, 5)),
                (1, self.rng.randint(1, 6), self.rng.randint(1, 6)),
                (1, self.rng.randint(1, 12)),
            )
        )
        self.values.append(self.make(shape))
        self.inputs.append(self.values[-1].index)

    def source(self, rank: int | None = None) -> Value | None:
        """One of the tensors, mostly a late one."""
        fitting = [v for v in self.values if rank in (None, len(v.shape))]
        return self.rng.choice(fitting[-3:]) if fitting else None

    def constant(self, values, **quantisation) -> int:
        return self.graph.constant("c", np.asarray(values), **quantisation)

    def numbers(self, values, dtype=np.int32) -> int:
        return self.constant(np.array(values, dtype))

    def add(self, op: str, inputs, results: list[Value], options=None, version=2) -> None:
        self.graph.operator(op, inputs, [r.index for r in results], options, version=version)
        self.values += [r for r in results if r.dtype in LIMITS]
        self.ends += [r.index for r in results if r.dtype not in LIMITS]
        self.n_operators += 1

    def activation(self) -> int:
        return self.rng.choice((0, 0, 0, 1, 2, 3))

    def content(self) -> bytes:
        computed = [v.index for v in self.values if v.index not in self.inputs]
        ends = computed[-1:] or self.inputs[:1]
        more = [*computed, *self.inputs, *self.ends]
        ends += self.rng.sample(more, min(len(more), self.rng.choice((0, 0, 1, 2))))
        return self.graph.content(self.inputs, list(dict.fromkeys([*ends, *self.ends[-1:]])))

    # --- layers with weights ---

    def weights(self, shape, axis: int, channels: int, gain: float) -> tuple[int, np.ndarray]:
        """int8 weights, of one scale or one for each channel."""
        count = self.rng.choice((1, channels))
        scales = gain * self.np.uniform(0.5, 1.0, count)
        values = self.np.integers(-127, 128, shape, dtype=np.int8)
        return self.constant(values, scale=scales, axis=axis), scales

    def bias(self, source: Value, scales, channels: int) -> list[int]:
        if self.rng.random() < 0.3:
            return []
        kind = np.int32 if source.dtype == "int8" else np.int64
        values = self.np.integers(-3000, 3000, channels).astype(kind)
        return [self.constant(values, scale=np.asarray(scales) * source.scale)]

    def summed(self, source: Value, gain: float, count: int) -> float:
        """A scale at which sums of `count` products fill an output of the source's type."""
        return source.scale * gain * 73 * np.sqrt(count) * self.rng.uniform(0.5, 3.0)
