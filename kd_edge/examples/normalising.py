"""The normaliser: fitted on the training part, stated in the front end's constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kd_edge.base.front_end import FrontEndConstants, StreamConstants
from kd_edge.examples.cutting import Windowing, layouts_of
from kd_edge.examples.sets import Examples
from kd_edge.frontend import StreamFrontEnd


@dataclass(frozen=True)
class Normaliser:
    """Mean and scale of the channels of inputs: y = (x - mean) * scale; other inputs stay."""

    mean: dict[str, tuple[float, ...]]
    scale: dict[str, tuple[float, ...]]

    def apply(self, windows: Examples) -> Examples:
        """The windows, normalised."""
        return replace(
            windows,
            inputs={name: self._normalised(name, array) for name, array in windows.inputs.items()},
        )

    def _normalised(self, name: str, array: np.ndarray) -> np.ndarray:
        if name not in self.mean:
            return array
        return (array - np.float32(self.mean[name])) * np.float32(self.scale[name])


def fit_normaliser(
    windows: Examples, enabled: Mapping[str, np.ndarray] | None = None
) -> Normaliser:
    """Per-channel mean and 1 / deviation over the windows given (the training part).

    Args:
        enabled: input -> (channels,) bool; a channel that is not keeps mean 0 and scale 1. None
            enables every channel. An input that it lacks is not normalised.
    """
    mean, scale = {}, {}
    for name, array in windows.inputs.items():
        if enabled is not None and name not in enabled:
            continue
        flat = array.reshape(-1, array.shape[-1]).astype(np.float64)
        centre, deviation = flat.mean(axis=0), flat.std(axis=0)
        # A channel without variation (allowed by the recipe alone) is centred and left unscaled.
        deviation = np.where(deviation > 1e-12 * (1 + np.abs(centre)), deviation, 1.0)
        fitted = True if enabled is None else enabled[name]
        mean[name] = tuple(float(v) for v in np.where(fitted, centre, 0.0))
        scale[name] = tuple(float(v) for v in np.where(fitted, 1 / deviation, 1.0))
    return Normaliser(mean, scale)


def normalised_channels(
    settings: Windowing, front_end: dict[str, StreamFrontEnd], designs: Sequence[StreamConstants]
) -> dict[str, np.ndarray]:
    """Which channels of each input the recipe normalises: input -> (channels,) bool."""
    width = {design.name: len(design.channels) for design in designs}
    return {
        name: np.concatenate([np.full(width[m], front_end[m].normalise) for m in modalities])
        for name, modalities in settings.inputs.items()
    }


def front_end_constants(
    designs: Sequence[StreamConstants], normaliser: Normaliser, settings: Windowing
) -> FrontEndConstants:
    """The front end with the fitted normaliser: the numbers that a board runs."""
    by_name = {design.name: design for design in designs}
    layouts = layouts_of(settings, by_name)
    fitted = {}
    for layout in layouts:
        offset = 0
        for modality in layout.streams:
            span = slice(offset, offset + len(by_name[modality].channels))
            fitted[modality] = replace(
                by_name[modality],
                mean=normaliser.mean[layout.name][span],
                scale=normaliser.scale[layout.name][span],
            )
            offset = span.stop
    return FrontEndConstants(tuple(fitted.values()), tuple(layouts))
