"""The front end's coefficients as C constants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware_export import c_text
from firmware_export.render import Files, Renderer
from kd_edge.errors import KdEdgeError

if TYPE_CHECKING:
    from kd_edge.frontend import FrontEndConstants, StreamConstants


def front_end_files(
    render: Renderer, constants: FrontEndConstants, input_names: tuple[str, ...]
) -> Files:
    """kd_front_end.h and .c.

    Args:
        input_names: the model's inputs in its order; the layouts are written in the same order.

    Raises:
        KdEdgeError KD_NOT_CAUSAL: a stream's filter needs samples that a board does not have yet.
        KdEdgeError KD_SHAPE: the front end and the model do not name the same inputs.
    """
    for stream in constants.streams:
        if not stream.causal:
            raise KdEdgeError(
                "KD_NOT_CAUSAL",
                f"the front end of '{stream.name}' is not causal, so no board can run it",
                where=f"front_end.{stream.name}",
                hint="remove causal = false from the recipe",
            )
    layouts = {layout.name: layout for layout in constants.inputs}
    if set(layouts) != set(input_names):
        raise KdEdgeError(
            "KD_SHAPE",
            "the front end and the model do not name the same inputs",
            where=f"front end: {', '.join(layouts)}; model: {', '.join(input_names)}",
        )
    names = [stream.name for stream in constants.streams]
    identifiers = c_text.identifiers(names)
    values = {
        "streams": [
            _stream(index, identifier, stream)
            for index, (identifier, stream) in enumerate(
                zip(identifiers, constants.streams, strict=True)
            )
        ],
        "layouts": [
            {
                "name_string": c_text.string(name),
                "streams": [names.index(stream) for stream in layouts[name].streams],
            }
            for name in input_names
        ],
    }
    return {name: render(name, **values) for name in ("kd_front_end.h", "kd_front_end.c")}


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
