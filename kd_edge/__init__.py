"""kd-edge: distill sign and gesture recognisers, convert them, and prove the result."""

__version__ = "0.1.0"
