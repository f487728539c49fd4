"""A bundle as a library: recordings in, the board's answers out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from kd_edge.base.composition import ALL
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import lsb_of
from kd_edge.base.quantisation import dequantize
from kd_edge.examples.raw import cut_counts, window_from_counts
from kd_edge.examples.selecting import Selection
from kd_edge.examples.streaming import StreamedRecording
from kd_edge.live.host import Host
from kd_edge.pipeline.bundle import RECIPE_FILE, Manifest, load_manifest
from kd_edge.pipeline.other_data import as_built, check_front_end
from kd_edge.pipeline.shipped import shipped
from kd_edge.recipe import Recipe, load_recipe
from kd_edge.signals.recording import Recording
from kd_edge.tasks import find_task


@dataclass(frozen=True, eq=False)
class Predictions:
    """What the product says to each window of a recording.

    Attributes:
        start_s: (n,) s, where each window begins, from the moment when all sensors had begun.
        raw: (n, classes) int8, as a board gives them.
        scores: (n, classes) float32, the same dequantised.
        decided: (n,) int64 index into `class_names`.
        class_names: in the model's output order.
        answered: (n,) the model that answered each window, by name; None of one model, and of an
            average, where all answer.
    """

    start_s: np.ndarray
    raw: np.ndarray
    scores: np.ndarray
    decided: np.ndarray
    class_names: tuple[str, ...]
    answered: tuple[str, ...] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The class of each window, by name."""
        return tuple(self.class_names[i] for i in self.decided)


class LoadedBundle:
    """The product of a bundle, which answers in this process as a board would.

    Attributes:
        manifest: what the bundle holds.
        wearer: what running normalisers know of whoever wears the sensors; every window teaches
            them. `wearer.reset()` when the sensors were put on again.
    """

    def __init__(self, manifest: Manifest, recipe: Recipe, host: Host):
        self.manifest = manifest
        self._recipe = recipe
        self._host = host
        self.wearer = host.wearer

    def predict(self, recording: Recording) -> Predictions:
        """The int8 product's answers to the windows that the recipe cuts from a recording.

        Samples become 16-bit counts, and each window is filtered from rest in float32, or if
        filters run on, the recording from its first sample on: the answers are a board's, bit for
        bit.

        Raises:
            KdEdgeError KD_CHANNEL_MISSING, KD_RATE_MISMATCH, KD_UNIT_MISMATCH: the recording is
                not like those that the bundle was built on. KD_WINDOW_TOO_LONG: it is too short.
        """
        starts_s, windows = zip(*self._windows(recording), strict=True)
        said = np.stack([self._host.answer_inputs(window) for window in windows])
        output = self._host.output
        raw = said[:, : prod(output.shape)]
        return Predictions(
            start_s=np.array(starts_s),
            raw=raw,
            scores=dequantize(raw, output.scale, output.zero_point),
            decided=find_task(self.manifest.task).decide(raw),
            class_names=self.manifest.class_names,
            answered=self._answered(said[:, -1]),
        )

    def _answered(self, places: np.ndarray) -> tuple[str, ...] | None:
        composition = self.manifest.composition
        if composition is None or ALL in places:
            return None
        return tuple(composition.models[place] for place in places)

    def _windows(self, recording: Recording) -> Iterator[tuple[float, dict[str, np.ndarray]]]:
        """Start in seconds and the model's inputs of each window."""
        front_end, windows = self._host.front_end, self._recipe.windows
        taken = {stream.name: self._recipe.front_end[stream.name] for stream in front_end.streams}
        selection = Selection(taken, recording)
        check_front_end(selection.designs.values(), self.manifest, Path(recording.source))
        samples = selection.samples(recording)
        streamed = StreamedRecording(samples, front_end, self.wearer) if front_end.runs_on else None
        for number in itertools.count():
            start_s = windows.start_s + number * (windows.hop_s or 0.0)
            try:
                # Of a streamed recording too, so that both forms end with the same window.
                counts = cut_counts(samples, front_end, start_s)
            except KdEdgeError as error:
                if error.code == "KD_WINDOW_TOO_LONG" and number:
                    return  # the recording has ended
                raise
            if streamed is None:
                yield start_s, window_from_counts(counts, front_end, self.wearer)
            elif (inputs := streamed.window(start_s)) is not None:
                yield start_s, inputs
            if windows.hop_s is None:
                return


def load(folder: str | Path) -> LoadedBundle:
    """The product of the bundle in `folder`, ready to answer.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BUNDLE_VERSION, KD_BUNDLE_ALTERED: as `load_manifest`; also
            KD_NO_FILE: it has no int8 model. KD_NOT_CAUSAL, KD_COUNTS: no board can run its front
            end. KD_MISSING_PACKAGE: TFLite Micro's interpreter is not installed.
    """
    folder = Path(folder)
    manifest = load_manifest(folder)
    if manifest.front_end is None:
        raise KdEdgeError(
            "KD_USAGE",
            "the bundle takes images, and only bundles of recordings answer in Python",
            where=str(folder),
            hint="`kd-edge bench` measures it; its .tflite files run in LiteRT",
        )
    host = Host(shipped(folder, manifest), manifest.front_end)
    for stream in host.front_end.streams:
        lsb_of(stream)
    return LoadedBundle(manifest, as_built(load_recipe(folder / RECIPE_FILE), manifest), host)
