"""Logits that the tests of losses share."""

from __future__ import annotations

import numpy as np

RNG = np.random.default_rng(3)
STUDENT = RNG.normal(0, 2, (6, 5)).astype("float32")
TEACHER = RNG.normal(0, 3, (6, 5)).astype("float32")
