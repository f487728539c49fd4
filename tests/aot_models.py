"""`.tflite` models of single operators with given quantisations, for tests against TFLite Micro."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from tflite_samples import GraphBuilder

from firmware_export.aot.graph import Node
from firmware_export.aot.reading import read_graph
from kd_edge.base.flatbuffer import read_tflite


def some(cases: st.SearchStrategy, count: int) -> st.SearchStrategy:
    """So many cases, not all alike: Hypothesis begins with the simplest of everything.

    A test of a single example would never see another one.
    """
    drawn = st.lists(cases, min_size=count, max_size=count)
    return drawn.filter(lambda found: len(set(map(repr, found))) > 1)


@dataclass(frozen=True)
class Quantised:
    """Shape, type and quantisation of a tensor."""

    shape: tuple[int, ...]
    scale: float | None = None
    zero_point: int = 0
    dtype: str = "int8"


class OperatorModel:
    """A model under construction whose operators read inputs or constants and write outputs."""

    def __init__(self):
        self._graph = GraphBuilder()
        self._inputs: list[int] = []
        self._outputs: list[int] = []

    def input(self, of: Quantised) -> int:
        index = self._tensor(of)
        self._inputs.append(index)
        return index

    def inner(self, of: Quantised) -> int:
        return self._tensor(of)

    def output(self, of: Quantised) -> int:
        index = self._tensor(of)
        self._outputs.append(index)
        return index

    def constant(self, values, **quantisation) -> int:
        return self._graph.constant("constant", np.asarray(values), **quantisation)

    def operator(self, name: str, inputs, outputs, options=None) -> None:
        self._graph.operator(name, inputs, outputs, options)

    def content(self) -> bytes:
        return self._graph.content(self._inputs, self._outputs)

    def _tensor(self, of: Quantised) -> int:
        return self._graph.tensor(
            f"t{len(self._inputs)}_{len(self._outputs)}",
            of.shape,
            of.dtype,
            scale=of.scale,
            zero_point=of.zero_point,
        )


def nodes_of(content: bytes) -> tuple[Node, ...]:
    """The model's operators as the engine reads them."""
    return tuple(read_graph(read_tflite(content)).nodes())
