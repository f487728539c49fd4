"""The front end's coefficients as C constants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware_export import c_text
from firmware_export.render import Files, Renderer
from kd_edge.errors import KdEdgeError
from kd_edge.runtimes.session import TensorSpec, match_inputs

if TYPE_CHECKING:
    from kd_edge.frontend import FrontEndConstants, StreamConstants


def front_end_files(
    render: Renderer, constants: FrontEndConstants, inputs: tuple[TensorSpec, ...]
) -> Files:
    """kd_front_end.h and .c, with the streams that the model uses.

    Args:
        inputs: the model's, in its order; the layouts are written in the same order.

    Raises:
        KdEdgeError KD_NOT_CAUSAL: a stream's filter needs samples that a board does not have yet.
        KdEdgeError KD_SHAPE: the front end makes no window that fits an input.
    """
    layouts = {layout.name: layout for layout in constants.inputs}
    shapes = {name: tuple(layout.shape) for name, layout in layouts.items()}
    used = [layouts[name] for name in match_inputs(inputs, shapes)]
    streams = [
        stream
        for stream in constants.streams
        if any(stream.name in layout.streams for layout in used)
    ]
    _check_causal(streams)
    names = [stream.name for stream in streams]
    values = {
        "streams": [
            _stream(index, identifier, stream)
            for index, (identifier, stream) in enumerate(
                zip(c_text.identifiers(names), streams, strict=True)
            )
        ],
        "layouts": [
            {
                "name_string": c_text.string(layout.name),
                "streams": [names.index(stream) for stream in layout.streams],
            }
            for layout in used
        ],
    }
    return {name: render(name, **values) for name in ("kd_front_end.h", "kd_front_end.c")}


def _check_causal(streams: list[StreamConstants]) -> None:
    for stream in streams:
        if not stream.causal:
            raise KdEdgeError(
                "KD_NOT_CAUSAL",
                f"the front end of '{stream.name}' is not causal, so no board can run it",
                where=f"front_end.{stream.name}",
                hint="remove causal = false from the recipe",
            )


def _stream(index: int, identifier: str, stream: StreamConstants) -> dict[str, object]:
    return {
        "index": index,
        "identifier": identifier,
        "title": c_text.comment(stream.name),
        "name_string": c_text.string(stream.name),
        "unit_string": c_text.string(stream.unit),
        "source_rate_hz": c_text.float32(stream.source_rate_hz),
        "rate_hz": c_text.float32(stream.rate_hz),
        "lsb": c_text.float32(stream.lsb or 0.0),
        "lsb_known": int(stream.lsb is not None),
        "channels": stream.channels,
        "channel_rows": c_text.rows(c_text.string(channel) for channel in stream.channels),
        "biquads": _biquads(stream.sos, stream.sos_zi),
        "rectify": int(stream.rectify),
        "envelope": _biquads(stream.envelope_sos, stream.envelope_zi),
        "up": stream.up,
        "down": stream.down,
        "tap_count": len(stream.fir),
        "tap_rows": c_text.float_rows(stream.fir),
        "mean_rows": c_text.float_rows(stream.mean),
        "scale_rows": c_text.float_rows(stream.scale),
    }


def _biquads(sections, steady_states) -> list[dict[str, str]]:
    """Rows of (b0, b1, b2, 1, a1, a2) without the 1, each with its two steady states."""
    return [
        {
            "coefficients": ", ".join(
                c_text.float32(value) for value in (*section[:3], *section[4:])
            ),
            "steady": ", ".join(c_text.float32(value) for value in steady),
        }
        for section, steady in zip(sections, steady_states, strict=True)
    ]
