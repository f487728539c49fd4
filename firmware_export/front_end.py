"""The front end as C: its numbers, and the code that runs them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_export import c_text
from firmware_export.front_end_numbers import check_precision, narrowing_of, numbers_of
from firmware_export.render import Files, Renderer
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import layout_samples, raw_samples
from kd_edge.base.roll import ring_directions
from kd_edge.base.tensors import TensorSpec, match_inputs

if TYPE_CHECKING:
    from kd_edge.base.front_end import FrontEndConstants, InputLayout, StreamConstants
    from kd_edge.base.roll import RollConstants

SOURCES = Path(__file__).parent / "runtime" / "front_end"
# Beside them, what computes: `FrontEndConstants.fixed` chooses.
ARITHMETIC = {False: SOURCES / "float32", True: SOURCES / "fixed"}
# And how many features go together: four on cores that have vectors of float32.
LANES = {False: SOURCES / "one", True: SOURCES / "four"}
# KD_BIQUAD_VALUES of kd_value.h.
_BIQUAD_VALUES = {False: 2, True: 5}
SIGNAL_BLOCK = 64  # KD_SIGNAL_BLOCK of kd_signal.h


def front_end_files(
    render: Renderer,
    constants: FrontEndConstants,
    inputs: tuple[TensorSpec, ...],
    *,
    vectors: bool = False,
) -> Files:
    """kd_front_end.h and .c with the streams that the model uses, and the code that they need.

    Args:
        inputs: the model's, in its order; the layouts are written in the same order.
        vectors: for a core, and a compiler, that has vectors of four float32.

    Raises:
        KdEdgeError KD_NOT_CAUSAL, KD_PRECISION, KD_SHAPE: see `model_front_end`.
    """
    used = model_front_end(constants, inputs)
    names = [stream.name for stream in used.streams]
    samples = raw_samples(used)
    channels = {stream.name: len(stream.channels) for stream in used.streams}
    values = {
        "streams": [
            _stream(index, identifier, stream, samples[stream.name])
            | numbers_of(stream, fixed=used.fixed)
            | _turned(stream, used.roll)
            for index, (identifier, stream) in enumerate(
                zip(c_text.identifiers(names), used.streams, strict=True)
            )
        ],
        "layouts": [
            _layout(layout, tensor, used)
            for layout, tensor in zip(used.inputs, inputs, strict=True)
        ],
        "fixed": used.fixed,
        "raw_values": sum(samples[name] * channels[name] for name in names),
        "work_values": max(_work_values(stream, used) for stream in used.streams),
        "on": _running_on(used) if used.runs_on else None,
        "wearer_states": wearer_states(used),
        "roll": used.roll
        and {
            "stream": names.index(used.roll.gravity),
            "memory_windows": used.roll.memory_windows,
        },
    }
    files = {name: render(name, **values) for name in ("kd_front_end.h", "kd_front_end.c")}
    unused = set()
    if not used.learns:
        unused |= {"kd_running.c", "kd_running_values.c", "kd_wearer.h", "kd_wearer.c"}
    if used.runs_on:
        unused |= {"kd_front_end_run.c", "kd_signal_window.h", "kd_signal_window.c"}
    else:
        unused |= {"kd_front_end_stream.h", "kd_front_end_stream.c"}
    if used.roll is None:
        unused.add("kd_roll.c")
    if not any(stream.log_floor for stream in used.streams):
        unused |= {"kd_log.h", "kd_log.c"}
    folders = SOURCES, ARITHMETIC[used.fixed], LANES[vectors and not used.fixed]
    present = (path for folder in folders for path in folder.glob("*.[ch]"))
    taken = (path for path in present if path.name not in unused)
    return files | {path.name: path.read_text(encoding="utf-8") for path in taken}


def _layout(layout: InputLayout, tensor: TensorSpec, used: FrontEndConstants) -> dict[str, object]:
    streams = [stream.name for stream in used.streams]
    places = [streams.index(name) for name in layout.streams]
    return {
        "title": c_text.comment(layout.name),
        "samples": layout_samples(layout),
        "channel_count": layout.shape[-1],
        "streams": places,
        "narrowings": [
            narrowing_of(used.streams[place], tensor, fixed=used.fixed) for place in places
        ],
    }


def wearer_states(constants: FrontEndConstants) -> int:
    """How many states a board keeps of its wearer: KD_WEARER_STATES."""
    if not constants.learns:
        return 0
    channels = sum(layout.shape[-1] for layout in constants.inputs)
    return channels + (2 if constants.roll else 0)


def model_front_end(
    constants: FrontEndConstants, inputs: tuple[TensorSpec, ...]
) -> FrontEndConstants:
    """The part of a front end that feeds a model: inputs in its order, streams in their own.

    Raises:
        KdEdgeError KD_RECIPE_VALUE: a roll is taken back, and filters run on or are integers; or
            differences are taken in integers.
        KdEdgeError KD_COUNTS: a stream's units a count are unknown, and integers hold them.
        KdEdgeError KD_NOT_CAUSAL: a stream's filter needs samples that a board does not have yet.
        KdEdgeError KD_PRECISION: float32 or integers are too short for a stream's filter.
        KdEdgeError KD_SHAPE: the front end makes no window that fits an input, or its numbers do
            not fit together.
    """
    layouts = {layout.name: layout for layout in constants.inputs}
    shapes = {name: tuple(layout.shape) for name, layout in layouts.items()}
    used = tuple(layouts[name] for name in match_inputs(inputs, shapes))
    taken = {stream for layout in used for stream in layout.streams}
    streams = tuple(stream for stream in constants.streams if stream.name in taken)
    _check_causal(streams)
    if constants.fixed:
        _check_no_differences(streams)
    for stream in streams:
        _check_lengths(stream)
    for stream in streams:
        steps = max(layout_samples(layout) for layout in used if stream.name in layout.streams)
        samples = raw_samples(constants)[stream.name]
        check_precision(stream, samples, steps, fixed=constants.fixed)
    for layout in used:
        _check_channels(layout, streams)
    return replace(constants, streams=streams, inputs=used, roll=_roll_among(constants, taken))


def _roll_among(constants: FrontEndConstants, taken: set[str]) -> RollConstants | None:
    """The roll of those streams that a model takes."""
    roll = constants.roll
    if roll is None:
        return None
    if constants.fixed:
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"the roll read from '{roll.gravity}' turns samples in float32, and the front end "
            "computes in integers",
            where="windows.arithmetic",
            hint="leave roll or arithmetic = 'fixed' out of the recipe",
        )
    if constants.runs_on:
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"the roll read from '{roll.gravity}' turns each window before it is filtered, so "
            "filters cannot run on from one to the next",
            where="windows.filters",
            hint="leave roll or filters = 'run-on' out of the recipe",
        )
    if roll.gravity not in taken:
        raise KdEdgeError(
            "KD_SHAPE",
            f"the roll is read from '{roll.gravity}', which the model does not take",
            where=f"front_end.{roll.gravity}.roll",
            hint="name an input with it in the model's inputs, or leave roll out of the recipe",
        )
    return replace(
        roll,
        vectors=tuple(each for each in roll.vectors if each[0] in taken),
        rings=tuple(each for each in roll.rings if each[0] in taken),
    )


def _check_causal(streams: tuple[StreamConstants, ...]) -> None:
    for stream in streams:
        if not stream.causal:
            raise KdEdgeError(
                "KD_NOT_CAUSAL",
                f"the front end of '{stream.name}' is not causal, so no board can run it",
                where=f"front_end.{stream.name}",
                hint="remove causal = false from the recipe",
            )


def _check_no_differences(streams: tuple[StreamConstants, ...]) -> None:
    for stream in streams:
        if stream.differences:
            raise KdEdgeError(
                "KD_RECIPE_VALUE",
                f"the differences of '{stream.name}' are float32's, and the front end computes in "
                "integers",
                where=f"front_end.{stream.name}.differences",
                hint="leave differences or windows.arithmetic = 'fixed' out of the recipe",
            )


def _check_lengths(stream: StreamConstants) -> None:
    """What kd_signal.c relies on: a bundle's file may say anything."""
    features = len(stream.features)
    n_taps = len(stream.fir)
    # Every phase starts in the first half of the taps, of which the second is the mirror image.
    taps_fit = not n_taps or (n_taps % 2 == 1 and n_taps // 2 >= stream.up)
    floors_fit = len(stream.log_floor) in (0, features) and all(f > 0 for f in stream.log_floor)
    normalisers_fit = len(stream.mean) == len(stream.scale) == features and floors_fit
    if normalisers_fit and stream.up > 0 and taps_fit:
        return
    raise KdEdgeError(
        "KD_SHAPE",
        f"the front end of '{stream.name}' has numbers that do not fit together",
        where=f"{features} features, {len(stream.mean)} means, {len(stream.scale)} scales, "
        f"{n_taps} taps for {stream.up}/{stream.down}",
        hint="build the bundle again",
    )


def _check_channels(layout: InputLayout, streams: tuple[StreamConstants, ...]) -> None:
    features = {stream.name: len(stream.features) for stream in streams}
    total = sum(features[name] for name in layout.streams)
    if total != layout.shape[-1]:
        raise KdEdgeError(
            "KD_SHAPE",
            f"input '{layout.name}' has {layout.shape[-1]} channels, its streams have {total}",
            where=", ".join(f"{name} {features[name]}" for name in layout.streams),
            hint="use the front end that the model was built with",
        )


def _stream(
    index: int, identifier: str, stream: StreamConstants, samples: int
) -> dict[str, object]:
    return {
        "index": index,
        "identifier": identifier,
        "title": c_text.comment(stream.name),
        "unit_comment": c_text.comment(stream.unit) or "units",
        "rates": f"{stream.source_rate_hz:.9g} Hz, then {stream.rate_hz:.9g} Hz",
        "lsb": None if stream.lsb is None else c_text.float32(stream.lsb),
        "samples": samples,
        "channel_count": len(stream.channels),
        "channels": [c_text.comment(channel) for channel in stream.channels],
        "feature_count": len(stream.features),
        "rectify": int(stream.rectify),
        "up": stream.up,
        "down": stream.down,
        "tap_count": len(stream.fir),
    }


def _turned(stream: StreamConstants, roll: RollConstants | None) -> dict[str, object]:
    """What of a stream the roll turns."""
    axes = (roll and roll.axes_of(stream.name)) or (0, 0)
    sense = roll and roll.sense_of(stream.name)
    directions = ring_directions(len(stream.channels)) if sense else []
    return {
        "axes": axes,
        "ring": [", ".join(map(c_text.float32, direction)) for direction in directions],
        "ring_sense": sense or 0,
    }


def _running_on(used: FrontEndConstants) -> dict[str, int | str]:
    """Sizes of what kd_front_end_stream.c keeps from sample to sample."""
    streams = {stream.name: stream for stream in used.streams}
    placed = [(layout, streams[name]) for layout in used.inputs for name in layout.streams]
    kept = [layout_samples(layout) for layout, stream in placed if stream.running]
    values = [layout_samples(layout) * len(s.features) for layout, s in placed if s.running]
    return {
        "channels": sum(len(stream.channels) for stream in used.streams),
        "features": sum(len(stream.features) for stream in used.streams),
        "memory_values": _memory_of_all(used),
        "step_bytes": sum(layout_samples(layout) * layout.shape[-1] for layout in used.inputs),
        "rows": len(placed),
        "kept_values": sum(values),
        "longest_kept": max(kept, default=0),
    }


def _memory_of_all(used: FrontEndConstants) -> str:
    """C: values of all streams, once for the KD_LANES features of a filter that go together."""
    parts = [
        (len(stream.features) // len(stream.channels) * values, len(stream.channels))
        for stream in used.streams
        if (values := _memory_values(stream, fixed=used.fixed))
    ]
    terms = [f"{values}u * (({n}u + KD_LANES - 1u) / KD_LANES)" for values, n in parts]
    return f"({' + '.join(terms)})" if terms else "1"


def _memory_values(stream: StreamConstants, *, fixed: bool) -> int:
    """KD_SIGNAL_MEMORY_VALUES of kd_signal.h."""
    biquads = _BIQUAD_VALUES[fixed] * (len(stream.filters[-1]) + len(stream.envelope_sos))
    return biquads + ((len(stream.fir) - 1) // stream.up + SIGNAL_BLOCK if stream.fir else 0)


def _work_values(stream: StreamConstants, used: FrontEndConstants) -> int:
    """What kd_signal_window needs."""
    windows = [layout_samples(layout) for layout in used.inputs if stream.name in layout.streams]
    kept = max(windows) if stream.running else 0
    return _memory_values(stream, fixed=used.fixed) + SIGNAL_BLOCK + kept
