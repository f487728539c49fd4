"""A product in one runtime: one model's interpreter, or several models' behind the rule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kd_edge.base.composition import answer
from kd_edge.base.product import Product
from kd_edge.runtimes.interpreter import Interpreter
from kd_edge.runtimes.registry import open_interpreter


def open_product(product: Product, runtime: str, *, threads: int = 1) -> Interpreter:
    """Load a product in a runtime; of several models the answer is the rule's.

    Raises as `open_interpreter`.
    """
    interpreters = [open_interpreter(runtime, m.path, threads=threads) for m in product.members]
    return (
        interpreters[0]
        if product.composition is None
        else ComposedInterpreter(product, interpreters)
    )


class ComposedInterpreter(Interpreter):
    """Several int8 models that answer as one; `answers` gives the scores and who answered."""

    def __init__(self, product: Product, interpreters: Sequence[Interpreter]):
        self.inputs = product.inputs
        self.outputs = product.outputs
        self._product = product
        self._interpreters = tuple(interpreters)
        self._arrays: tuple[np.ndarray, ...] = ()
        self._answers: tuple[np.ndarray, ...] = ()

    def reset(self) -> None:
        for interpreter in self._interpreters:
            interpreter.reset()

    def _set_inputs(self, arrays: Sequence[np.ndarray]) -> None:
        self._arrays = tuple(arrays)

    def invoke(self) -> None:
        scores, who = answer(self._product.composition, self._product.common, self._run)
        self._answers = (scores, np.full((1, 1), who, np.int8))

    def _run(self, place: int) -> np.ndarray:
        arrays = [self._arrays[i] for i in self._product.feeds[place]]
        # A model that was not asked keeps its state; `load` has reset it where that was wanted.
        return self._interpreters[place].run(arrays, keep_state=True)[0]

    def answers(self) -> tuple[np.ndarray, ...]:
        return tuple(answer.copy() for answer in self._answers)

    def tensor(self, index: int) -> np.ndarray:
        raise ValueError("a composition has no inner tensors: look at its models one by one")
