"""From recordings to windows: the front end over each, then cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import InputLayout, StreamConstants
from kd_edge.base.settings import Name, settings
from kd_edge.examples.selecting import Selection
from kd_edge.examples.sets import Examples, Groups
from kd_edge.frontend import StreamFrontEnd, apply_stream
from kd_edge.signals.recording import Recording


@settings
class Windowing:
    """How recordings become windows.

    Attributes:
        length_s: of one window, in seconds.
        hop_s: seconds between the starts of two; None cuts one window from each recording.
        start_s: of the first, in seconds.
        steps: cut each window in so many equal steps: (steps, samples, channels).
        inputs: model input -> modalities joined by channel; their rates after the front end must
            agree.
        filters: what a board's filters do between two windows of a stream: 'restart' each window
            from rest, or 'run-on' from sample to sample, as through a recording here.
        arithmetic: what a board's front end computes in: 'float32', or 'fixed', integers for cores
            without a floating-point unit.
    """

    length_s: PositiveFloat
    hop_s: PositiveFloat | None = None
    start_s: Annotated[float, Field(ge=0)] = 0.0
    steps: PositiveInt | None = None
    inputs: Annotated[
        dict[Name, Annotated[tuple[str, ...], Field(min_length=1)]], Field(min_length=1)
    ]
    filters: Literal["restart", "run-on"] = "restart"
    arithmetic: Literal["float32", "fixed"] = "float32"


def cut_windows(
    recordings: Sequence[Recording],
    front_end: dict[str, StreamFrontEnd],
    settings: Windowing,
    class_names: tuple[str, ...] | None = None,
    *,
    progress: Callable[[int], None] | None = None,
) -> tuple[Examples, tuple[StreamConstants, ...]]:
    """Run the front end over whole recordings and cut them; nothing is normalised yet.

    Args:
        recordings: each with a label. Their first one sets rates and units.
        class_names: every label, in the model's output order; None sorts them.
        front_end: modalities that no input takes are left out.
        progress: called with the number of recordings done.

    Raises:
        KdEdgeError KD_CHANNEL_MISSING, KD_RATE_MISMATCH, KD_UNIT_MISMATCH, KD_BAD_SAMPLES,
            KD_WINDOW_TOO_LONG (the recording is named), KD_RECIPE_VALUE (lengths that do not
            divide, a hop below one sample).

    Returns:
        examples: each input (n, samples, channels) float32, or (n, steps, samples, channels), in
            the streams' units.
        constants: of each modality's front end, with a normaliser that does nothing yet.
    """
    taken = used_modalities(settings)
    selection = Selection({m: front_end[m] for m in front_end if m in taken}, recordings[0])
    designs = selection.designs
    layouts = layouts_of(settings, designs)
    _check_hop(settings, designs)
    cut: dict[str, list[np.ndarray]] = {name: [] for name in settings.inputs}
    owners: list[int] = []
    for index, recording in enumerate(recordings):
        streams = {
            name: apply_stream(samples, designs[name])
            for name, samples in selection.samples(recording).items()
        }
        starts_s = _starts(recording, streams, designs, settings)
        owners += [index] * len(starts_s)
        for layout in layouts:
            cut[layout.name] += [_window(streams, designs, layout, start) for start in starts_s]
        if progress:
            progress(index + 1)
    names = class_names or tuple(sorted({recording.label for recording in recordings}))
    return _examples(recordings, cut, owners, names), tuple(designs.values())


def used_modalities(settings: Windowing) -> set[str]:
    """The modalities that some model input takes; nothing else of a recording is looked at."""
    return {modality for modalities in settings.inputs.values() for modality in modalities}


def layouts_of(settings: Windowing, designs: dict[str, StreamConstants]) -> list[InputLayout]:
    """The shape of each model input, and the modalities whose channels it joins.

    Raises:
        KdEdgeError KD_RATE_MISMATCH (modalities of one input with different lengths),
            KD_RECIPE_VALUE (no sample, or steps that do not divide).
    """
    layouts = []
    for name, modalities in settings.inputs.items():
        lengths = {m: round(settings.length_s * designs[m].rate_hz) for m in modalities}
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{m} {n} samples" for m, n in lengths.items())
            raise KdEdgeError(
                "KD_RATE_MISMATCH",
                f"windows.inputs.{name} joins modalities of different lengths: {said}",
                where="windows.inputs",
                hint="decimate them to one rate with front_end.<modality>.rate_hz",
            )
        samples = next(iter(lengths.values()))
        channels = sum(len(designs[m].features) for m in modalities)
        layouts.append(InputLayout(name, modalities, _shape(settings, name, samples, channels)))
    return layouts


def _shape(settings: Windowing, name: str, samples: int, channels: int) -> tuple[int, ...]:
    if samples < 1:
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"windows.length_s {settings.length_s:g} gives input '{name}' no sample",
            where="windows.length_s",
            hint="name a longer window",
        )
    if settings.steps is None:
        return (samples, channels)
    if samples % settings.steps:
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"input '{name}' has {samples} samples a window, which {settings.steps} steps do not "
            "divide",
            where="windows.steps",
            hint="choose length_s and steps so that every input divides",
        )
    return (settings.steps, samples // settings.steps, channels)


def _check_hop(settings: Windowing, designs: dict[str, StreamConstants]) -> None:
    slowest_hz = min(design.rate_hz for design in designs.values())
    if settings.hop_s is not None and settings.hop_s * slowest_hz < 1:
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"windows.hop_s {settings.hop_s:g} is less than one sample at {slowest_hz:g} Hz",
            where="windows.hop_s",
            hint=f"name {1 / slowest_hz:.3g} s or more: windows would be the same otherwise",
        )


def _starts(
    recording: Recording,
    streams: dict[str, np.ndarray],
    designs: dict[str, StreamConstants],
    settings: Windowing,
) -> list[float]:
    """Start of each window in seconds; every modality covers every window."""
    lengths = {name: round(settings.length_s * designs[name].rate_hz) for name in streams}

    def fits(start_s: float) -> bool:
        return all(
            round(start_s * designs[name].rate_hz) + lengths[name] <= len(samples)
            for name, samples in streams.items()
        )

    if not fits(settings.start_s):
        shortest = min(len(samples) / designs[name].rate_hz for name, samples in streams.items())
        raise KdEdgeError(
            "KD_WINDOW_TOO_LONG",
            f"{recording.source} lasts {shortest:.4g} s; the first window ends at "
            f"{settings.start_s + settings.length_s:.4g} s",
            where="windows.length_s",
            hint="choose a shorter window, or leave that recording out",
        )
    if settings.hop_s is None:
        return [settings.start_s]
    starts = []
    while fits(settings.start_s + len(starts) * settings.hop_s):
        starts.append(settings.start_s + len(starts) * settings.hop_s)
    return starts


def _window(
    streams: dict[str, np.ndarray],
    designs: dict[str, StreamConstants],
    layout: InputLayout,
    start_s: float,
) -> np.ndarray:
    samples = int(np.prod(layout.shape[:-1]))
    pieces = []
    for modality in layout.streams:
        first = round(start_s * designs[modality].rate_hz)
        pieces.append(streams[modality][first : first + samples])
    return np.concatenate(pieces, axis=1).reshape(layout.shape)


def _examples(
    recordings: Sequence[Recording],
    cut: dict[str, list[np.ndarray]],
    owners: list[int],
    class_names: tuple[str, ...],
) -> Examples:
    code = {name: index for index, name in enumerate(class_names)}
    return Examples(
        inputs={name: np.stack(arrays) for name, arrays in cut.items()},
        truth=np.array([code[recordings[i].label] for i in owners], dtype=np.int64),
        groups=Groups.of(owners, [recording.info() for recording in recordings]),
        class_names=class_names,
        synthetic=any(recording.synthetic for recording in recordings),
    )
