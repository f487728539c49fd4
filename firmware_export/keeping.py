"""Whether a board's network may keep what it has computed from window to window of a stream."""

from __future__ import annotations

from fractions import Fraction

from firmware_export.engines import PLAIN_C
from firmware_export.sensors import StreamSettings, step_rates
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import FrontEndConstants, layout_samples
from kd_edge.base.product import Product


def kept_hop(
    front_end: FrontEndConstants | None,
    stream: StreamSettings | None,
    product: Product,
    *,
    engine: str,
) -> Fraction | None:
    """The share of a window that is new in the next one, in whole steps of every sensor.

    None for a board that does not stream, or whose network runs whole windows.

    Raises:
        KdEdgeError KD_USAGE: windows share no values, or the engine or product cannot keep any.
    """
    if stream is None or not stream.keeps:
        return None
    if engine != PLAIN_C.name:
        raise _refusal("TFLite Micro runs whole windows", f"take the engine '{PLAIN_C.name}'")
    if product.composition is not None:
        raise _refusal("the product is of several models", "build one student")
    if not front_end.runs_on:
        why = "its filters start each window from rest, so windows that overlap share no values"
        raise _refusal(why, "set windows.filters = 'run-on' in the recipe and build again")
    if front_end.learns:
        why = "a running normaliser changes all values of a window with the next one"
        raise _refusal(why, "leave adapt out of the recipe's front end and build again")
    hops = {layout.name: _hop(front_end, stream, layout) for layout in front_end.inputs}
    if len(set(hops.values())) > 1:
        shares = ", ".join(f"{share} of '{name}'" for name, share in hops.items())
        why = f"a hop of {stream.hop_s:g} s is not the same share of every input: {shares}"
        raise _refusal(why, "name a hop of whole steps of every input")
    return next(iter(hops.values()))


def _hop(front_end: FrontEndConstants, stream: StreamSettings, layout) -> Fraction:
    rate_hz, samples = step_rates(front_end)[layout.streams[0]], layout_samples(layout)
    share = Fraction(round(stream.hop_s * rate_hz), samples)
    if not 0 < share < 1:
        why = f"a hop of {stream.hop_s:g} s is {share} of the window of '{layout.name}'"
        raise _refusal(why, f"name a hop between 0 and {samples / rate_hz:g} s")
    return share


def _refusal(why: str, hint: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_USAGE",
        f"this board's network cannot keep what it has computed: {why}",
        hint=f"{hint}, or leave --keep-columns out",
    )
