"""Windows: the fixed-shape arrays that a model takes, with what each came from."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kd_edge.errors import KdEdgeError, nearest
from kd_edge.frontend import (
    FrontEndConstants,
    InputLayout,
    StreamConstants,
    apply_stream,
    design_stream,
)
from kd_edge.recipe import StreamFrontEnd, Windows
from kd_edge.signals.recording import Recording, Stream

# Exports round rates to four decimals; beyond this they are different rates.
RATE_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class WindowSet:
    """Windows of one dataset or part of it.

    Attributes:
        inputs: model input name -> (n_windows, samples, channels) float32, or
            (n_windows, steps, samples, channels) where windows are cut in steps.
        labels: (n_windows,) int64 index into `class_names`.
        recordings: (n_windows,) int64 index into `recording_names`.
        subjects: (n_windows,) str.
        class_names: every class of the dataset, in the model's output order.
        recording_names: where each recording came from.
        synthetic: any of it was made by a generator.
    """

    inputs: dict[str, np.ndarray]
    labels: np.ndarray
    recordings: np.ndarray
    subjects: np.ndarray
    class_names: tuple[str, ...]
    recording_names: tuple[str, ...]
    synthetic: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of one window of each input."""
        return {name: array.shape[1:] for name, array in self.inputs.items()}

    def take(self, indices: np.ndarray) -> WindowSet:
        """The windows at `indices`, in that order."""
        return replace(
            self,
            inputs={name: array[indices] for name, array in self.inputs.items()},
            labels=self.labels[indices],
            recordings=self.recordings[indices],
            subjects=self.subjects[indices],
        )

    def only(self, names: tuple[str, ...]) -> WindowSet:
        """The same windows with the named inputs alone, in the order named."""
        return replace(self, inputs={name: self.inputs[name] for name in names})


def spread_evenly(labels: np.ndarray, subjects: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Windows chosen as even over classes as they go, and over subjects within each class.

    Args:
        labels: (windows,) classes. subjects: (windows,) names.
        n: windows wanted; all are taken where there are fewer.

    Returns:
        (min(n, windows),) int64 indices in rising order. The counts of any two classes differ by
        at most one while both have windows left, and so do those of two subjects within a class.
    """
    random = np.random.default_rng(seed)
    groups: dict[object, dict[object, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index in random.permutation(len(labels)):
        groups[labels[index]][subjects[index]].append(int(index))
    by_class = [list(_take_turns([*groups[label].values()], random)) for label in sorted(groups)]
    chosen = itertools.islice(_take_turns(by_class, random), n)
    return np.sort(np.array(list(chosen), dtype=np.int64))


def _take_turns(queues: list[list[int]], random: np.random.Generator) -> Iterator[int]:
    """One of each queue in turn, in a new order each round, until all are empty."""
    for position in range(max(map(len, queues), default=0)):
        for which in random.permutation(len(queues)):
            if position < len(queues[which]):
                yield queues[which][position]


@dataclass(frozen=True)
class Normaliser:
    """Mean and scale of every channel of every input: y = (x - mean) * scale."""

    mean: dict[str, tuple[float, ...]]
    scale: dict[str, tuple[float, ...]]

    def apply(self, windows: WindowSet) -> WindowSet:
        """The windows, normalised."""
        return replace(
            windows,
            inputs={
                name: ((array - np.float32(self.mean[name])) * np.float32(self.scale[name]))
                for name, array in windows.inputs.items()
            },
        )


def cut_windows(
    recordings: Sequence[Recording],
    front_end: dict[str, StreamFrontEnd],
    settings: Windows,
    class_names: tuple[str, ...],
    *,
    progress: Callable[[int], None] | None = None,
) -> tuple[WindowSet, tuple[StreamConstants, ...]]:
    """Run the front end over whole recordings and cut them; nothing is normalised yet.

    Args:
        recordings: each with a label in `class_names`.
        progress: called with the number of recordings done.

    Raises:
        KdEdgeError KD_CHANNEL_MISSING, KD_RATE_MISMATCH, KD_WINDOW_TOO_LONG (the recording is
            named), KD_RECIPE_VALUE (lengths that do not divide).
    """
    designs = {name: _design(name, front_end[name], recordings[0]) for name in front_end}
    layouts = _layouts(settings, designs)
    cut: dict[str, list[np.ndarray]] = {name: [] for name in settings.inputs}
    owners: list[int] = []
    for index, recording in enumerate(recordings):
        streams = {
            name: apply_stream(_select(recording, name, front_end[name], design), design)
            for name, design in designs.items()
        }
        starts_s = _starts(recording, streams, designs, settings)
        owners += [index] * len(starts_s)
        for layout in layouts:
            cut[layout.name] += [_window(streams, designs, layout, start) for start in starts_s]
        if progress:
            progress(index + 1)
    return _window_set(recordings, cut, owners, class_names), tuple(designs.values())


def fit_normaliser(windows: WindowSet, enabled: dict[str, np.ndarray]) -> Normaliser:
    """Per-channel mean and 1 / deviation over the windows given (the training part).

    Args:
        enabled: input -> (channels,) bool; a channel that is not keeps mean 0 and scale 1.
    """
    mean, scale = {}, {}
    for name, array in windows.inputs.items():
        flat = array.reshape(-1, array.shape[-1]).astype(np.float64)
        centre, deviation = flat.mean(axis=0), flat.std(axis=0)
        # A channel without variation (allowed by the recipe alone) is centred and left unscaled.
        deviation = np.where(deviation > 1e-12 * (1 + np.abs(centre)), deviation, 1.0)
        mean[name] = tuple(float(v) for v in np.where(enabled[name], centre, 0.0))
        scale[name] = tuple(float(v) for v in np.where(enabled[name], 1 / deviation, 1.0))
    return Normaliser(mean, scale)


def normalised_channels(
    settings: Windows, front_end: dict[str, StreamFrontEnd], designs: Sequence[StreamConstants]
) -> dict[str, np.ndarray]:
    """Which channels of each input the recipe normalises: input -> (channels,) bool."""
    width = {design.name: len(design.channels) for design in designs}
    return {
        name: np.concatenate([np.full(width[m], front_end[m].normalise) for m in modalities])
        for name, modalities in settings.inputs.items()
    }


def front_end_constants(
    designs: Sequence[StreamConstants], normaliser: Normaliser, settings: Windows
) -> FrontEndConstants:
    """The front end with the fitted normaliser: the numbers that a board runs."""
    by_name = {design.name: design for design in designs}
    layouts = _layouts(settings, by_name)
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


def _design(modality: str, settings: StreamFrontEnd, recording: Recording) -> StreamConstants:
    streams = _streams_of(recording, modality)
    names = settings.channels or tuple(name for s in streams for name in s.channels)
    return design_stream(
        modality,
        settings,
        channels=names,
        source_rate_hz=streams[0].rate_hz,
        unit=streams[0].unit,
        lsb=streams[0].lsb,
    )


def _streams_of(recording: Recording, modality: str) -> list[Stream]:
    streams = [s for s in recording.streams if s.modality == modality]
    if streams:
        return streams
    known = sorted({s.modality for s in recording.streams})
    raise KdEdgeError(
        "KD_CHANNEL_MISSING",
        f"{recording.source} has no '{modality}' stream{nearest(modality, known)}",
        where=f"it has {', '.join(known)}",
        hint="name one of these in front_end and windows.inputs",
    )


def _select(
    recording: Recording, modality: str, settings: StreamFrontEnd, design: StreamConstants
) -> np.ndarray:
    """(n_samples, n_channels) of the channels that the recipe names, cut to the shortest sensor."""
    streams = _streams_of(recording, modality)
    columns = {}
    for stream in streams:
        for position, name in enumerate(stream.channels):
            columns[name] = stream.samples[:, position]
    for name in design.channels:
        if name not in columns:
            raise KdEdgeError(
                "KD_CHANNEL_MISSING",
                f"{recording.source} has no channel '{name}'{nearest(name, columns)}",
                where=f"its {modality} channels are {', '.join(columns)}",
                hint=f"set front_end.{modality}.channels in the recipe",
            )
    for stream in streams:
        used = set(stream.channels) & set(design.channels)
        if used and abs(stream.rate_hz / design.source_rate_hz - 1) > RATE_TOLERANCE:
            raise KdEdgeError(
                "KD_RATE_MISMATCH",
                f"{recording.source} has {modality} at {stream.rate_hz:g} Hz, others at "
                f"{design.source_rate_hz:g} Hz",
                where=f"sensor {stream.sensor}",
                hint="one window needs one rate: leave that sensor or recording out",
            )
    length = min(len(columns[name]) for name in design.channels)
    return np.stack([columns[name][:length] for name in design.channels], axis=1)


def _layouts(settings: Windows, designs: dict[str, StreamConstants]) -> list[InputLayout]:
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
        channels = sum(len(designs[m].channels) for m in modalities)
        layouts.append(InputLayout(name, modalities, _shape(settings, name, samples, channels)))
    return layouts


def _shape(settings: Windows, name: str, samples: int, channels: int) -> tuple[int, ...]:
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


def _starts(
    recording: Recording,
    streams: dict[str, np.ndarray],
    designs: dict[str, StreamConstants],
    settings: Windows,
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


def _window_set(
    recordings: Sequence[Recording],
    cut: dict[str, list[np.ndarray]],
    owners: list[int],
    class_names: tuple[str, ...],
) -> WindowSet:
    code = {name: index for index, name in enumerate(class_names)}
    return WindowSet(
        inputs={name: np.stack(arrays) for name, arrays in cut.items()},
        labels=np.array([code[recordings[i].label] for i in owners], dtype=np.int64),
        recordings=np.array(owners, dtype=np.int64),
        subjects=np.array([recordings[i].subject for i in owners]),
        class_names=class_names,
        recording_names=tuple(recording.source for recording in recordings),
        synthetic=any(recording.synthetic for recording in recordings),
    )
