"""What a board's layers cost beside what they must cost on its core."""

from __future__ import annotations

from collections.abc import Sequence

from firmware_export.aot.bounds import LayerCost, layer_costs
from firmware_export.aot.compiler import Compiled
from firmware_export.aot.cores import CORES
from firmware_export.aot.engine import compile_product
from firmware_export.engines import PLAIN_C
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.product import Product
from kd_edge.link.messages import Hello, Layer

_COUNTED = ("instructions", "cycles")  # a bound of instructions says nothing of microseconds


def profiled_costs(
    product: Product, hello: Hello, layers: Sequence[Layer]
) -> tuple[LayerCost, ...] | None:
    """The layers as the board counted them, in its order, beside their bounds.

    None where the board counts no instructions or cycles, or its image holds other layers than
    the plain C of this product, with a last layer that can be replaced or without.
    """
    if hello.engine != PLAIN_C.name or hello.ticks_kind not in _COUNTED or hello.core not in CORES:
        return None
    for head in (False, True) if product.composition is None else (False,):
        try:
            compiled = compile_product(product, hello.core, generator="", head=head)
        except KdEdgeError as error:
            if head and error.code == "KD_UNSUPPORTED_OP":
                break
            raise
        if _names(compiled) == [layer.name for layer in layers]:
            figures = [layer for each in compiled for layer in each.layers]
            return layer_costs(figures, CORES[hello.core], [layer.ticks for layer in layers])
    return None


def _names(compiled: Sequence[Compiled]) -> list[str]:
    return [
        each.settings.layer_name(layer.place, layer.kernel)
        for each in compiled
        for layer in each.layers
    ]
