"""Decision rules of every kind, and streams of scores for them."""

from __future__ import annotations

import numpy as np

from kd_edge.base.decision import NOBODY, ONE, DecisionRule, Memory, decide


def random_rule(rng: np.random.Generator, classes: int) -> DecisionRule:
    """A rule that uses some of what a rule may use."""
    enter = int(rng.integers(0, ONE + 1))
    prototypes, most = (), 0
    if rng.random() < 0.5:
        prototypes = tuple(map(tuple, rng.integers(-128, 128, (classes, classes)).tolist()))
        most = int(rng.integers(0, 2 * 64**2 * classes))
    return DecisionRule(
        classes=classes,
        scale=float(np.float32(rng.choice([0.01, 0.05, 0.2]))),
        temperature=float(rng.uniform(0.3, 4)),
        windows=int(rng.choice([1, 2, 3, 7, 16])),
        combine=str(rng.choice(["mean", "majority"])),
        enter=enter,
        leave=int(rng.integers(0, enter + 1)),
        least_windows=int(rng.integers(1, 4)),
        refractory_windows=int(rng.integers(0, 4)),
        rest=int(rng.choice([NOBODY, 0, classes - 1])),
        least_share=int(rng.choice([0, ONE // 4, ONE // 2])),
        least_margin=int(rng.choice([0, 5])),
        prototypes=prototypes,
        most_distance=most,
    )


def stream(rng: np.random.Generator, n: int, classes: int) -> np.ndarray:
    """(n, classes) int8: gestures of some windows, sure and unsure, ends of int8."""
    truth = np.repeat(rng.integers(0, classes, n), rng.integers(1, 9, n))[:n]
    scores = rng.normal(0, 20, (n, classes)) + rng.choice([0, 30, 90], n)[:, None] * (
        np.arange(classes) == truth[:, None]
    )
    scores[rng.random(n) < 0.05] = rng.choice([-128, 0, 127])
    return np.clip(np.rint(scores), -128, 127).astype(np.int8)


def decide_all(rule: DecisionRule, scores: np.ndarray) -> list:
    """One decision a window of (n, classes) int8, from no memory."""
    memory, found = Memory(rule), []
    for row in scores:
        memory, decision = decide(rule, memory, row)
        found.append(decision)
    return found
