"""The host's own answers to the windows of a stream: Python's front end and a runtime's model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from firmware_export.front_end import model_front_end
from kd_edge.base.decision import Decision, DecisionRule, Memory, decide
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.formats import FileKind
from kd_edge.base.front_end import FrontEndConstants
from kd_edge.base.product import Product, as_product
from kd_edge.examples.raw import Wearer, quantised, window_from_counts
from kd_edge.examples.streaming import Streamed
from kd_edge.runtimes.composed import open_product
from kd_edge.runtimes.registry import ORACLE, RUNTIMES, installed


class Host:
    """A bundle's model and front end in this process.

    Args:
        model: an int8 `.tflite`, or a product of one or several.
        front_end: the bundle's.
        rule: the bundle's decision rule, if it has one.
        runtime: a key of `RUNTIMES`; TFLite Micro answers bit for bit as a board does.

    Attributes:
        name: the runtime's title.
        front_end: the part that feeds the model, streams in the board's order.
        wearer: what running normalisers know; every answer teaches them.
        streamed: if filters run on, what they make of the samples of a stream; else None.
        output: of the first answer, its scale and zero point.

    Raises:
        KdEdgeError KD_USAGE: the runtime runs no `.tflite`. As `open_interpreter` and
            `model_front_end`.
    """

    def __init__(
        self,
        model: Path | Product,
        front_end: FrontEndConstants,
        *,
        rule: DecisionRule | None = None,
        runtime: str = ORACLE,
    ):
        if RUNTIMES.find(runtime).kind is not FileKind.TFLITE:
            raise KdEdgeError(
                "KD_USAGE",
                f"{RUNTIMES[runtime].title} runs no int8 .tflite, which is what answers a stream",
                where="--runtime",
                hint=f"choose {', '.join(installed())}",
            )
        self._interpreter = open_product(as_product(model), runtime)
        self.name = RUNTIMES[runtime].title
        self.front_end = model_front_end(front_end, self._interpreter.inputs)
        self.wearer = Wearer(self.front_end)
        runs_on = self.front_end.runs_on
        self.streamed = Streamed(self.front_end, self.wearer) if runs_on else None
        self.output = self._interpreter.outputs[0]
        self._rule = rule
        self.forget_windows()

    def forget_windows(self) -> None:
        """A decision begins anew, as where a stream begins."""
        self._memory = None if self._rule is None else Memory(self._rule)

    def decide(self, scores: np.ndarray) -> Decision | None:
        """What one more window leads to; None without a rule.

        Args:
            scores: (bytes,) int8, as `answer` gives them.
        """
        if self._rule is None:
            return None
        self._memory, decision = decide(self._rule, self._memory, scores[: self._rule.classes])
        return decision

    def answer(self, arrays: Sequence[np.ndarray], *, keep_state: bool = False) -> np.ndarray:
        """Every output in order, (bytes,) int8, for one raw window.

        Args:
            arrays: (samples, channels) int16 counts, one a stream of `front_end`.
            keep_state: the model's state runs on from the window before.
        """
        window = window_from_counts(self._counts(arrays), self.front_end, self.wearer)
        return self.answer_inputs(window, keep_state=keep_state)

    def answer_streamed(
        self, arrays: Sequence[np.ndarray], ends: Sequence[int], *, keep_state: bool = False
    ) -> np.ndarray | None:
        """`answer` to a window of a stream; None where the state of its filters is not known.

        Args:
            arrays: (samples, channels) int16 counts, one a stream of `front_end`.
            ends: of each stream, the number of the sample after the window's last.
        """
        if self.streamed is None:
            return self.answer(arrays, keep_state=keep_state)
        window = self.streamed.window(ends, self._counts(arrays))
        return None if window is None else self.answer_inputs(window, keep_state=keep_state)

    def answer_inputs(
        self, window: Mapping[str, np.ndarray], *, keep_state: bool = False
    ) -> np.ndarray:
        """`answer` to the model's inputs, float32, each of its layout's shape."""
        return self.answer_quantised(self.quantised(window), keep_state=keep_state)

    def quantised(self, window: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """The model's inputs as it takes them, int8, each of its tensor's shape."""
        specs = self._interpreter.inputs
        windows = quantised(window, self.front_end, specs)
        # The batch of 1 in front.
        return [w.reshape(spec.shape) for w, spec in zip(windows, specs, strict=True)]

    def answer_quantised(
        self, inputs: Sequence[np.ndarray], *, keep_state: bool = False
    ) -> np.ndarray:
        """`answer` to the inputs that `quantised` gives.

        Args:
            inputs: one a tensor of the model, of its shape, (1, ...), int8.
        """
        outputs = self._interpreter.run(inputs, keep_state=keep_state)
        return np.concatenate([output.reshape(-1) for output in outputs])

    def _counts(self, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        streams = self.front_end.streams
        return {stream.name: array for stream, array in zip(streams, arrays, strict=True)}
