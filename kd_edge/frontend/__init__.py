"""The front end of each modality: its settings, its numbers, and what they make of samples."""

from kd_edge.frontend.checking import check_constants
from kd_edge.frontend.filters import apply_stream, design_stream, with_differences
from kd_edge.frontend.settings import StreamFrontEnd

__all__ = [
    "StreamFrontEnd",
    "apply_stream",
    "check_constants",
    "design_stream",
    "with_differences",
]
