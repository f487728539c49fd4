"""From a node of the graph to calls of kernels: one function an operator."""

from __future__ import annotations

from collections.abc import Callable

from firmware_export.aot.cores import Core
from firmware_export.aot.graph import Node
from firmware_export.aot.lower.conv import lower_conv
from firmware_export.aot.lower.pool import lower_pool
from firmware_export.aot.program import Call

Lowering = Callable[[Node, Core], tuple[Call, ...]]

# The schema's operator name -> its lowering; adding an operator is one line.
LOWERINGS: dict[str, Lowering] = {
    "CONV_2D": lower_conv,
    "AVERAGE_POOL_2D": lower_pool,
    "MAX_POOL_2D": lower_pool,
}
