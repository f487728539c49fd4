"""Windows as a board takes them: 16-bit counts at the sensors' rates, filtered from rest.

Boards compute in float32, and `window_from_counts` does so in the same order: bit for bit the same.
Where they compute in integers, so does it; its real values, float64, hold them exactly.
A board knows nothing of what came before a window: its filters start as if the window's first
sample had stood there for ever. Where windows start with their recording (`start_s` 0, no
`hop_s`) that is what `cut_windows` does too, and its answers, in float64, are at most one int8 step
away. Elsewhere `cut_windows` filters through the recording, and a window's first samples differ by
what its filters remember.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import fields

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.fixed import fixed_stream, narrowing
from kd_edge.base.fixed_running import fixed_of, narrowed
from kd_edge.base.front_end import (
    Counts,
    FrontEndConstants,
    InputLayout,
    layout_samples,
    lsb_of,
    raw_samples,
    spans_of,
)
from kd_edge.base.quantisation import quantize
from kd_edge.base.roll import Turn, roll_moved, turn_of, turned_back, usable_after
from kd_edge.base.running import RunningState, first_state, is_possible
from kd_edge.base.tensors import TensorSpec
from kd_edge.examples.single import (
    fixed_for_wearer,
    for_wearer,
    single_stream,
    usable_channels,
)


def to_counts(samples: np.ndarray, lsb: float) -> np.ndarray:
    """The int16 counts nearest to samples; beyond 16 bits the end of the range.

    Args:
        samples: (n, channels), in the stream's unit. lsb: units a count.

    Returns:
        (n, channels) int16.
    """
    limits = np.iinfo(np.int16)
    return np.clip(np.rint(samples / lsb), limits.min, limits.max).astype(np.int16)


def from_counts(counts: np.ndarray, lsb: float) -> np.ndarray:
    """(n, channels) float32 samples in the stream's unit, of (n, channels) int16 counts."""
    return counts.astype(np.float32) * np.float32(lsb)


def cut_counts(
    samples: Mapping[str, np.ndarray], constants: FrontEndConstants, start_s: float
) -> dict[str, np.ndarray]:
    """The counts of the window that starts at `start_s`.

    Args:
        samples: stream -> (n_samples, n_channels) in the stream's unit, at its source rate.

    Raises:
        KdEdgeError KD_COUNTS: a stream's units a count are unknown.
        KdEdgeError KD_WINDOW_TOO_LONG: the recording ends before the window does.
    """
    streams = {stream.name: stream for stream in constants.streams}
    counts = {}
    for name, length in raw_samples(constants).items():
        first = round(start_s * streams[name].source_rate_hz)
        cut = samples[name][first : first + length]
        if len(cut) < length:
            raise KdEdgeError(
                "KD_WINDOW_TOO_LONG",
                f"'{name}' has {len(samples[name])} samples; a window at {start_s:g} s needs "
                f"{first + length}",
                where="windows.length_s",
                hint="leave that recording out",
            )
        counts[name] = to_counts(cut, lsb_of(streams[name]))
    return counts


class Wearer:
    """What is known of whoever wears the sensors, from window to window.

    Running normalisers know each feature's mean and deviation, and the roll of a band is known by
    gravity along both axes across the limb. A front end that learns nothing has a wearer as well.

    Args:
        constants: the front end's.

    Attributes:
        frozen: windows are normalised by what is known, and add nothing to it.
    """

    def __init__(self, constants: FrontEndConstants):
        self._constants = constants
        self.frozen = False
        self.reset()

    def reset(self) -> None:
        """Forget the wearer: the sensors were put on again, or on somebody else."""
        features = {stream.name: len(stream.features) for stream in self._constants.streams}
        self._states = [
            [first_state(features[name]) for name in layout.streams]
            for layout in self._constants.inputs
        ]
        self._gravity = first_state(2)

    @property
    def state(self) -> RunningState:
        """Of every channel of every input, in order, then of gravity where the roll is taken back.

        Channels of no running normaliser never move.
        """
        states = [state for states in self._states for state in states]
        if self._constants.roll:
            states.append(self._gravity)
        return RunningState(
            *(np.concatenate([getattr(s, f.name) for s in states]) for f in fields(RunningState))
        )

    def restore(self, state: RunningState) -> None:
        """Go on from a `state` that was kept.

        Raises:
            KdEdgeError KD_SHAPE: it is another front end's. KD_RECIPE_VALUE: no windows lead to it.
        """
        sizes = [len(s.mean) for states in self._states for s in states]
        if self._constants.roll:
            sizes.append(len(self._gravity.mean))
        if any(getattr(state, f.name).shape != (sum(sizes),) for f in fields(RunningState)):
            raise KdEdgeError(
                "KD_SHAPE",
                f"a normaliser's state has {len(state.mean)} channels, not {sum(sizes)}",
                hint="it belongs to another bundle",
            )
        if not is_possible(state):
            raise KdEdgeError(
                "KD_RECIPE_VALUE",
                "no windows lead to this state of a normaliser",
                hint="take one that a board or a Wearer gave",
            )
        split = iter(
            [
                RunningState(*(getattr(state, f.name)[at] for f in fields(RunningState)))
                for at in np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
            ]
        )
        self._states = [list(itertools.islice(split, len(states))) for states in self._states]
        self._gravity = next(split, self._gravity)

    def turn(self, counts: Counts) -> Turn | None:
        """The band's angle, after a window has told of it; None where no roll is taken back.

        Args:
            counts: stream -> (samples, channels) int16.
        """
        roll = self._constants.roll
        if roll is None:
            return None
        across = counts[roll.gravity][:, list(roll.axes_of(roll.gravity))]
        return self.turned(across.astype(np.float32), usable=bool(usable_channels(across).all()))

    def turned(self, across: np.ndarray, *, usable: bool) -> Turn:
        """The band's angle, after a window's gravity across the limb has told of it.

        Args:
            across: (samples, 2) float32. usable: whether it tells something.
        """
        usable = usable and not self.frozen
        self._gravity = roll_moved(across, self._gravity, self._constants.roll, usable=usable)
        return turn_of(self._gravity)

    def normalise(self, z: np.ndarray, usable: np.ndarray, where: tuple[int, int]) -> np.ndarray:
        """The values of the stream at a place (input, position), normalised for the wearer.

        Args:
            z: (samples, features), as `single_stream` gives them.
            usable: (channels,) bool, those that tell of the wearer.
        """
        layout = self._constants.inputs[where[0]]
        streams = {stream.name: stream for stream in self._constants.streams}
        stream = streams[layout.streams[where[1]]]
        if stream.running is None:
            return z
        states = self._states[where[0]]
        usable = np.tile(usable & (not self.frozen), stream.differences + 1)
        of = fixed_for_wearer if self._constants.fixed else for_wearer
        z, states[where[1]] = of(z, usable, stream, states[where[1]])
        return z


def window_from_counts(
    counts: Counts, constants: FrontEndConstants, wearer: Wearer | None = None
) -> dict[str, np.ndarray]:
    """Filter, resample and normalise one window from rest, as a board does, bit for bit.

    Args:
        wearer: who learns from the window, if the front end has a running normaliser; None: one
            who has just put the sensors on.

    Returns:
        input name -> its layout's shape, float32; not yet quantised.

    Raises:
        KdEdgeError KD_COUNTS: a stream's units a count are unknown.
    """
    streams = {stream.name: stream for stream in constants.streams}
    wearer = wearer or Wearer(constants)
    turn = wearer.turn(counts)

    def of(name: str, n: int) -> tuple[np.ndarray, np.ndarray]:
        own, usable = counts[name], usable_channels(counts[name])
        if turn is not None:
            own = turned_back(
                own.astype(np.float32), name, constants.roll, turn, channels=own.shape[-1]
            )
            usable = usable_after(usable, name, constants.roll, turn)
        lsb = lsb_of(streams[name])
        return single_stream(own, streams[name], lsb, n, fixed=constants.fixed), usable

    return worn_inputs(constants, wearer, of)


def worn_inputs(
    constants: FrontEndConstants,
    wearer: Wearer,
    of: Callable[[str, int], tuple[np.ndarray, np.ndarray]],
) -> dict[str, np.ndarray]:
    """A window's inputs, normalised for the wearer.

    Args:
        of: (stream, n) -> its n samples after the front end, (n, features) float32, and (channels,)
            bool, those that tell of the wearer.

    Returns:
        input name -> (samples, channels) float32, or with the layout's steps before them.
    """
    inputs = {}
    for index, layout in enumerate(constants.inputs):
        joined = [
            wearer.normalise(*of(name, layout_samples(layout)), (index, position))
            for position, name in enumerate(layout.streams)
        ]
        inputs[layout.name] = np.concatenate(joined, axis=1).reshape(layout.shape)
    return inputs


def quantised_window(
    counts: Counts,
    front_end: FrontEndConstants,
    inputs: tuple[TensorSpec, ...],
    wearer: Wearer | None = None,
) -> tuple[np.ndarray, ...]:
    """The int8 inputs that a raw window becomes: a board's are the same, bit for bit.

    Args:
        counts: stream -> (samples, channels) int16.
        front_end: as `model_front_end` leaves it for these inputs.
        inputs: the model's, in its order.
        wearer: as `window_from_counts` takes it.

    Returns:
        one int8 array a model input, of its layout's shape.
    """
    return quantised(window_from_counts(counts, front_end, wearer), front_end, inputs)


def quantised(
    window: Mapping[str, np.ndarray], front_end: FrontEndConstants, inputs: tuple[TensorSpec, ...]
) -> tuple[np.ndarray, ...]:
    """A window's inputs, each (samples, channels) or (steps, samples, channels), as int8."""
    if front_end.fixed:
        return tuple(
            _narrowed(window[layout.name], layout, front_end, spec)
            for layout, spec in zip(front_end.inputs, inputs, strict=True)
        )
    return tuple(
        quantize(window[layout.name], spec.scale, spec.zero_point)
        for layout, spec in zip(front_end.inputs, inputs, strict=True)
    )


def _narrowed(
    values: np.ndarray, layout: InputLayout, front_end: FrontEndConstants, spec: TensorSpec
) -> np.ndarray:
    """An input that integers lead to, as int8."""
    streams = {stream.name: stream for stream in front_end.streams}
    parts = []
    for name, span in spans_of(layout, front_end.streams):
        stream = streams[name]
        to = narrowing(stream, spec.scale, spec.zero_point)
        parts.append(narrowed(fixed_of(values[..., span], fixed_stream(stream)), to))
    return np.concatenate(parts, axis=-1)
