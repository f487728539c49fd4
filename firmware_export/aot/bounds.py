"""What a layer costs beside what it must cost on a core: loads, widening, products, results.

A bound is counted by hand from a core's instructions: values and weights are loaded and widened
once for each tile of pixels and channels that registers hold, products take the widest instruction
that multiplies and adds, and each result is scaled, clamped and stored. Addresses, loops, calls and
spills are left out, so that no kernel reaches it; a good one stays within twice of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from firmware_export.aot.cores import Core
from firmware_export.aot.cycles import estimated_instructions
from firmware_export.aot.figures import LayerFigure

NEAR = 1.5  # times its bound: what is left is loops and addresses


@dataclass(frozen=True)
class Bound:
    """Instructions of a window that a layer takes at least.

    Attributes:
        loads: of weights and values. widening: from 8 bits to 16. multiplies: with their additions.
        results: scaling, clamping and storing.
    """

    loads: int
    widening: int
    multiplies: int
    results: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.loads + self.widening + self.multiplies + self.results


@dataclass(frozen=True)
class LayerCost:
    """A layer's instructions beside its bound.

    Attributes:
        place: as `LayerFigure.place`.
        instructions: a window; None where nothing was measured.
        per_mac: instructions a multiply-accumulate; None without either.
        bound: None where none is stated for the kernel.
        times_bound: instructions in bounds; None without either.
        helps: what would make it cheaper, in words; '' where nothing is known.
    """

    place: str
    kernel: str
    macs: int
    results: int
    instructions: int | None
    per_mac: float | None
    bound: Bound | None
    times_bound: float | None
    helps: str


@dataclass(frozen=True)
class _Rates:
    """Instructions of a family of kernels.

    Attributes:
        load, widen, multiply: a product. prepare: a value of a pixel's window, which all channels
            share (loaded and widened). result: each.
        lanes: products that one instruction takes side by side; a window's rest takes one too.
        pixels: results of a channel that it scales side by side; an image's rest takes as many.
        channel: each, once.
        pieces: values that a load takes, and then a store, to lay a window's pieces side by side;
            the most first.
    """

    load: float = 0.0
    widen: float = 0.0
    multiply: float = 0.0
    prepare: float = 0.0
    result: float = 0.0
    lanes: int = 1
    pixels: int = 1
    channel: float = 0.0
    pieces: tuple[int, ...] = ()


# By the core's fastest kernels: Helium, DSP extension, portable.
_Family = Mapping[str, _Rates]

_MATRIX: _Family = {
    # LDRSB of two values and two weights for four MLA.
    "": _Rates(load=1.0, multiply=1.0, result=10),
    # 16 products: LDRD and LDM of eight words, 8 SMLAD, 2 SXTB16 over two pixels and two channels.
    # SMLAD takes two columns, so that an odd one has a partner of zeros.
    "_dsp": _Rates(
        load=2 / 16,
        widen=2 / 16,
        multiply=8 / 16,
        prepare=1.0,
        result=8,
        lanes=2,
        pieces=(4, 2, 1),
    ),
    # 64 products: four vectors of 16 loaded for four VMLADAVA. A result moves into a lane, then
    # four are scaled by ten instructions.
    "_mve": _Rates(load=4 / 64, multiply=4 / 64, result=3.5, lanes=16, pieces=(16,)),
}
_DEPTHWISE: _Family = {
    "": _Rates(load=2.0, multiply=1.0, result=10),
    # Four channels of a tap: its values and weights loaded, two SXTB16 each, four SMLABB.
    "_dsp": _Rates(load=2 / 4, widen=4 / 4, multiply=4 / 4, result=8),
    # Eight channels of a tap: where it lies, values, weights; VMULL of either half; two VADD.
    "_mve": _Rates(load=3 / 8, multiply=4 / 8, result=4, lanes=8),
}
# A window is one load and one VMLADAV; a result moves into a lane, then four of a channel are
# scaled by ten instructions. Before, a channel's weights and constants are two loads, and five more
# instructions bring these where Helium takes them from. The input is turned, eight channels a time.
_STRIPS: _Family = {
    "_mve": _Rates(
        load=1 / 16, multiply=1 / 16, result=3.5, lanes=16, pixels=4, channel=7, pieces=(8,)
    ),
}
# A result of an LSTM: eight sums are scaled, three sigmoids and two tangents interpolated.
_LSTM: _Family = {
    "": _Rates(load=1.25, multiply=1.0, result=300),
    "_dsp": _Rates(load=2 / 16, widen=4 / 16, multiply=8 / 16, result=140),
    "_mve": _Rates(load=5 / 64, multiply=4 / 64, result=70, lanes=16),
}
_BY_NAME: dict[str, _Family] = {
    "kd_conv_s8": _MATRIX,
    "kd_conv_strips_s8": _MATRIX,
    "kd_fc_s8": _MATRIX,
    "kd_fc_packed_s8": _MATRIX,
    "kd_depthwise_s8": _DEPTHWISE,
    "kd_depthwise_strips_s8": _STRIPS,
    "kd_lstm_s8": _LSTM,
    "kd_lstm_packed_s8": _LSTM,
    # Without products: a value is loaded, looked up, stored.
    "kd_table_s8": {"": _Rates(result=3), "_mve": _Rates(result=3 / 16)},
    # Both values are loaded and looked up; the sum is scaled.
    "kd_sum_s8": {"": _Rates(result=20), "_dsp": _Rates(result=11), "_mve": _Rates(result=5)},
    "kd_copy": {"": _Rates(result=2 / 4), "_mve": _Rates(result=2 / 16)},
    # A value is loaded and added; a result divided.
    "kd_avg_pool_s8": {
        "": _Rates(load=1, multiply=1, result=10),
        # Four channels are a word, and two SXTAB16.
        "_dsp": _Rates(load=1 / 4, multiply=2 / 4, result=6),
        "_mve": _Rates(load=1 / 8, multiply=1 / 8, result=4),
    },
    "kd_max_pool_s8": {
        "": _Rates(load=1, multiply=2, result=1),
        # Four channels are a word, SSUB8 and SEL.
        "_dsp": _Rates(load=1 / 4, multiply=2 / 4, result=1 / 4),
        "_mve": _Rates(load=1 / 16, multiply=1 / 16, result=1 / 16),
    },
}
_SPECIAL = "_general"  # of a kernel that takes what the fast one of its name cannot


def bound_of(layer: LayerFigure, core: Core) -> Bound | None:
    """What the layer takes at least on the core; None where no bound is stated for its kernel."""
    family = _BY_NAME.get(_stem(layer.kernel))
    if family is None or core.big:
        return None
    rates = next(family[variant] for variant in core.variants if variant in family)
    if not layer.macs:
        return Bound(
            loads=round(rates.load * layer.elements),
            widening=0,
            multiplies=round(rates.multiply * layer.elements),
            results=round(rates.result * layer.results),
        )
    window = layer.macs // layer.results
    channels = max(layer.channels, 1)
    # Depthwise channels lie side by side, values of another window do.
    along = channels if family is _DEPTHWISE else window
    products = layer.macs * _whole(along, rates.lanes) / along
    one_pixel = layer.results == channels * layer.times
    prepared = 0 if one_pixel or family is _DEPTHWISE else layer.macs / channels
    pixels = layer.results // channels
    results = channels * _whole(pixels, rates.pixels)
    products *= results / layer.results
    # Of one pixel the weights are widened for it alone.
    widen = rates.widen * (2 if one_pixel and family is _MATRIX else 1)
    return Bound(
        loads=round(rates.load * products + rates.prepare * prepared / 2) + _laying(layer, rates),
        widening=round(widen * products + rates.prepare * prepared / 2),
        multiplies=round(rates.multiply * products),
        results=round(rates.result * results + rates.channel * channels),
    )


def _laying(layer: LayerFigure, rates: _Rates) -> int:
    """Loads and stores that lay the pieces of windows side by side."""
    # Rows of whole words are widened where they lie.
    in_place = rates.widen and layer.laid_run % 4 == 0
    if not layer.laid or not rates.pieces or in_place:
        return 0
    moves, left = 0, layer.laid_run
    for size in rates.pieces:
        moves, left = moves + left // size, left % size
    return 2 * (moves + (left > 0)) * (layer.laid // layer.laid_run)


def layer_costs(
    layers: Sequence[LayerFigure], core: Core, counts: Sequence[int] | None = None
) -> tuple[LayerCost, ...]:
    """Every layer's cost, in order.

    Args:
        counts: instructions of each as measured; None: estimated from the core's rates.
    """
    found = counts or [estimated_instructions(layer, core) for layer in layers]
    return tuple(_cost(layer, core, n) for layer, n in zip(layers, found, strict=True))


def slowest_first(costs: Sequence[LayerCost]) -> list[LayerCost]:
    """By instructions; those that were not measured last."""
    return sorted(costs, key=lambda cost: -(cost.instructions or 0))


def _cost(layer: LayerFigure, core: Core, instructions: int | None) -> LayerCost:
    bound = bound_of(layer, core)
    times = None if bound is None or instructions is None else instructions / max(bound.total, 1)
    return LayerCost(
        place=layer.place,
        kernel=layer.kernel,
        macs=layer.macs,
        results=layer.results,
        instructions=instructions,
        per_mac=instructions / layer.macs if layer.macs and instructions is not None else None,
        bound=bound,
        times_bound=times,
        helps=_helps(layer, core, bound, times),
    )


def _helps(layer: LayerFigure, core: Core, bound: Bound | None, times: float | None) -> str:
    """What a person who trains the model can do; the first that holds."""
    if bound is None:
        return ""
    family = _BY_NAME[_stem(layer.kernel)]
    depthwise, near = family is _DEPTHWISE, times is not None and times <= NEAR
    lanes = next(family[variant].lanes for variant in core.variants if variant in family)
    along = layer.channels if depthwise else layer.macs // layer.results
    side_by_side = "channels" if depthwise else "values a window"
    found = (
        (layer.kernel.endswith(_SPECIAL), "It runs in the slow kernel, for groups or very large "
         "biases: train without groups, see whether some channels are constant."),
        (not layer.macs, "It only moves or maps values: fold it into a neighbour, or make it "
         "smaller."),
        (along < 0.75 * _whole(along, lanes), f"{along} {side_by_side} leave some of {lanes} lanes "
         f"empty: make them a multiple of {lanes}."),
        (near, "Near its bound: only fewer products help."),
        (depthwise, "Finding each window costs much: more channels, fewer pixels, or a larger "
         "stride."),
        (bound.results > bound.total / 3, f"Few products a result ({along}), and scaling results "
         "dominates: fewer, wider layers."),
        (_stem(layer.kernel).startswith("kd_fc"), "A call costs much beside so few products: "
         "fewer, wider layers."),
    )  # fmt: skip
    otherwise = "Collecting windows costs much: fewer pixels, a larger stride, no padding."
    return next((words for holds, words in found if holds), otherwise)


def _stem(kernel: str) -> str:
    stem = kernel.removesuffix(_SPECIAL)
    return stem if stem in _BY_NAME else kernel.removesuffix("_row").removesuffix("_pairs")


def _whole(n: int, lanes: int) -> int:
    return -(-n // lanes) * lanes
