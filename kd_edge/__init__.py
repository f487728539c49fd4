"""kd-edge: distill sign and gesture recognisers, convert them, and prove the result."""

from kd_edge.base.version import __version__

__all__ = ["__version__"]
