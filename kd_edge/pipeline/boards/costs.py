"""What a board's layers cost beside what they must cost on its core."""

from __future__ import annotations

from collections.abc import Sequence

from firmware_export.aot.bounds import LayerCost, layer_costs
from firmware_export.aot.cores import CORES
from firmware_export.aot.engine import compile_product
from firmware_export.engines import PLAIN_C
from kd_edge.base.product import Product
from kd_edge.link.messages import Hello, Layer

_COUNTED = ("instructions", "cycles")  # a bound of instructions says nothing of microseconds


def profiled_costs(
    product: Product, hello: Hello, layers: Sequence[Layer]
) -> tuple[LayerCost, ...] | None:
    """The layers as the board counted them, in its order, beside their bounds.

    None where the board counts no instructions or cycles, or its image holds other layers than
    the plain C of this product.
    """
    if hello.engine != PLAIN_C.name or hello.ticks_kind not in _COUNTED or hello.core not in CORES:
        return None
    compiled = compile_product(product, hello.core, generator="")
    figures = [layer for each in compiled for layer in each.layers]
    names = [
        each.settings.layer_name(layer.place, layer.kernel)
        for each in compiled
        for layer in each.layers
    ]
    if names != [layer.name for layer in layers]:
        return None
    return layer_costs(figures, CORES[hello.core], [layer.ticks for layer in layers])
