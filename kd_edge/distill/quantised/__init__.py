"""Fine-tuning a trained student behind the rounding of its int8 form."""

from kd_edge.distill.quantised.network import RANGES, WEIGHT_BITS, aware_network, finished

__all__ = ["RANGES", "WEIGHT_BITS", "aware_network", "finished"]
