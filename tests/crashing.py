"""A library as bad ones are: it crashes, takes memory without end, or reads."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from kd_edge.signals.channels import damaged
from kd_edge.signals.formats.arrays import Arrays


def extract(path: Path) -> Arrays:
    if path.name == "crash":
        os.abort()
    with damaged(str(path), "odd"):
        if path.name == "greedy":
            np.ones(1 << 33, "u1")
    return Arrays({"a": np.array([1, 2])})
