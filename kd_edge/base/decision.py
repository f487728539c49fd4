"""From a model's scores to what is said: rejection, the last windows together, hysteresis.

    last = Memory(rule)
    for scores in windows:  # (classes,) int8 each
        last, decision = decide(rule, last, scores)

Everything is in whole numbers: `firmware_export/runtime/rules/kd_decision.c` computes the same, bit
for bit. A window passes these steps:

1. It is rejected if its best class is not sure enough: by its share (softmax of the calibrated
   scores), by the steps to the next class, or by its distance to the class's prototype.
2. It joins the last `windows`. 'mean' adds up how many steps each class lies below the window's
   best, which is the mean of log-probabilities. 'majority' counts votes. A rejected window, and one
   that has not come yet, knows nothing: it speaks for no class.
3. A class that leads with a share of `enter` or more for `least_windows` in a row is said from then
   on, until its share falls below `leave`. Its first window is an onset. After an onset there is no
   other one for `refractory_windows`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal, localcontext
from functools import cache, cached_property

import numpy as np

# A share of 1: shares have 15 bits behind the point.
ONE = 1 << 15
# No class: nothing is said, or there is no rest.
NOBODY = 0xFFFF
COMBINES = ("mean", "majority")
MOST_WINDOWS = 255
MOST_CLASSES = NOBODY
# Differences of two int8 scores.
_STEPS = 256


@dataclass(frozen=True)
class DecisionRule:
    """How scores become what is said; see the module for the steps.

    Attributes:
        classes: scores of a window.
        scale: real value of one step of the scores. temperature: that they are divided by before
            the softmax; both make `shares`.
        windows: that decide together, the last ones, 1 to 255.
        combine: 'mean' of log-probabilities, or 'majority' of votes.
        enter, leave: shares of 1, times 2^15.
        least_windows: in a row, before a class is said; 1 or more.
        refractory_windows: after an onset, without another.
        rest: the class that is never said and ends what is; `NOBODY`: there is none.
        least_share: of a window's best class, times 2^15; 0 rejects nothing.
        least_margin: steps to the next class; 0 rejects nothing.
        prototypes: a row of int8 scores for each class; () rejects nothing.
        most_distance: squared steps from the scores to the prototype of the best class.

    Raises:
        ValueError: with a sentence, where these do not fit together.
    """

    classes: int
    scale: float
    temperature: float = 1.0
    windows: int = 1
    combine: str = "mean"
    enter: int = 0
    leave: int = 0
    least_windows: int = 1
    refractory_windows: int = 0
    rest: int = NOBODY
    least_share: int = 0
    least_margin: int = 0
    prototypes: tuple[tuple[int, ...], ...] = ()
    most_distance: int = 0

    def __post_init__(self):
        rows, most = self.prototypes, 2**32 - 1
        for sentence, holds in (
            ("a decision is between 2 classes or more", 2 <= self.classes < MOST_CLASSES),
            ("a scale is above 0", 0 < self.scale < np.inf),
            ("a temperature is above 0", 0 < self.temperature < np.inf),
            (f"1 to {MOST_WINDOWS} windows decide", 1 <= self.windows <= MOST_WINDOWS),
            (f"windows are combined by {' or '.join(COMBINES)}", self.combine in COMBINES),
            ("a class is entered at its share or above", 0 <= self.leave <= self.enter <= ONE),
            ("a class leads for 1 window or more", 1 <= self.least_windows < NOBODY),
            ("windows without an onset are 0 or more", 0 <= self.refractory_windows < NOBODY),
            ("the rest is a class", self.rest == NOBODY or 0 <= self.rest < self.classes),
            ("a share is 0 to 1", 0 <= self.least_share <= ONE),
            ("a margin is 0 to 255 steps", 0 <= self.least_margin < _STEPS),
            ("a distance is 32 bits", 0 <= self.most_distance <= most),
            ("a class has one prototype", len(rows) in (0, self.classes)),
            ("a prototype has a score a class", all(len(r) == self.classes for r in rows)),
            ("a prototype's scores are int8", all(-128 <= v < 128 for r in rows for v in r)),
        ):
            if not holds:
                raise ValueError(sentence)

    @property
    def shares(self) -> tuple[int, ...]:
        """What a class that lies so many steps below the best weighs, the best being 2^15."""
        return _shares(self.scale, self.temperature)

    @property
    def idle(self) -> int:
        """What a window that knows nothing says against every class."""
        return int(self.combine == "majority")

    @cached_property
    def share_array(self) -> np.ndarray:
        """(256,) int64 of `shares`."""
        return np.array(self.shares, np.int64)

    @cached_property
    def prototype_array(self) -> np.ndarray:
        """(classes, classes) int64, or (0, classes)."""
        return np.array(self.prototypes, np.int64).reshape(-1, self.classes)


@cache
def _shares(scale: float, temperature: float) -> tuple[int, ...]:
    """Decimal's exponential is correctly rounded: the same numbers on every machine."""
    with localcontext(prec=40):
        step = Decimal(scale) / Decimal(temperature)
        return tuple(round(ONE * (-d * step).exp()) for d in range(_STEPS))


@dataclass(frozen=True, eq=False)
class Memory:
    """What a rule remembers of the windows before.

    Attributes:
        rows: (windows, classes) uint8, what each of the last windows says against each class.
        place: the oldest row.
        said: the class that is said. candidate: that leads, and for how many windows in a row
            (`run`).
        quiet: windows that have no onset yet.
    """

    rule: DecisionRule
    rows: np.ndarray = field(default=None)
    place: int = 0
    said: int = NOBODY
    candidate: int = NOBODY
    run: int = 0
    quiet: int = 0

    def __post_init__(self):
        if self.rows is None:
            shape = (self.rule.windows, self.rule.classes)
            object.__setattr__(self, "rows", np.full(shape, self.rule.idle, np.uint8))


@dataclass(frozen=True)
class Decision:
    """What a window leads to.

    Attributes:
        said: the class that is said from this window on; `NOBODY`: none.
        leading: the class that the last windows speak for most.
        confidence: its share, times 2^15.
        onset: `said` begins with this window.
        rejected: this window is not sure enough to count.
    """

    said: int
    leading: int
    confidence: int
    onset: bool
    rejected: bool


def decide(rule: DecisionRule, memory: Memory, scores: np.ndarray) -> tuple[Memory, Decision]:
    """Take one more window.

    Args:
        memory: that the windows before it left, or `Memory(rule)`.
        scores: (classes,) int8.
    """
    alone = sureness(rule, scores[None])
    rejected = bool(alone.rejected(rule)[0])
    rows = memory.rows.copy()
    rows[memory.place] = rule.idle if rejected else _against(rule, scores, int(alone.best[0]))
    leading, shares = _combined(rule, rows)
    memory = replace(memory, rows=rows, place=(memory.place + 1) % rule.windows)
    memory, onset = _move(rule, memory, leading, shares)
    return memory, Decision(memory.said, leading, int(shares[leading]), onset, rejected)


@dataclass(frozen=True, eq=False)
class Sureness:
    """How sure each of some windows is, before any other window is looked at.

    Attributes:
        best: (n,) the class of the largest score, the first of equals.
        share: (n,) of the best class, times 2^15.
        margin: (n,) steps from the best class to the next.
        distance: (n,) squared steps from the scores to the best class's prototype; 0 without.
    """

    best: np.ndarray
    share: np.ndarray
    margin: np.ndarray
    distance: np.ndarray

    def rejected(self, rule: DecisionRule) -> np.ndarray:
        """(n,) bool, whether the rule rejects each window."""
        return (
            (self.share < rule.least_share)
            | (self.margin < rule.least_margin)
            | (self.distance > rule.most_distance)
        )


def sureness(rule: DecisionRule, scores: np.ndarray) -> Sureness:
    """How sure the scores of windows are, (n, classes) int8, each window by itself."""
    values = scores.astype(np.int64)
    best = values.argmax(axis=1)
    below = np.take_along_axis(values, best[:, None], axis=1) - values
    apart = values - rule.prototype_array[best] if rule.prototypes else np.zeros_like(values)
    return Sureness(
        best,
        ONE * ONE // rule.share_array[below].sum(axis=1),
        np.partition(below, 1, axis=1)[:, 1],
        np.square(apart).sum(axis=1),
    )


def _against(rule: DecisionRule, scores: np.ndarray, best: int) -> np.ndarray:
    """What one window says against each class, (classes,)."""
    if rule.combine == "majority":
        return np.arange(rule.classes) != best
    values = scores.astype(np.int32)
    return values[best] - values


def _combined(rule: DecisionRule, rows: np.ndarray) -> tuple[int, np.ndarray]:
    """The leading class, the first of equals, and each class's share times 2^15."""
    sums = rows.sum(axis=0, dtype=np.int64)
    leading = int(np.argmin(sums))
    if rule.combine == "majority":
        return leading, (rule.windows - sums) * ONE // rule.windows
    below = (2 * (sums - sums[leading]) + rule.windows) // (2 * rule.windows)
    weights = rule.share_array[below]
    return leading, weights * ONE // weights.sum()


def _move(
    rule: DecisionRule, memory: Memory, leading: int, shares: np.ndarray
) -> tuple[Memory, bool]:
    """What is said next, and whether it begins."""
    sure = shares[leading] >= rule.enter
    said, candidate, run, quiet = memory.said, memory.candidate, memory.run, memory.quiet
    if said != NOBODY and (shares[said] < rule.leave or (sure and leading == rule.rest)):
        said = NOBODY
    if not sure or leading in (rule.rest, said):
        candidate, run = NOBODY, 0
    else:
        run = min(run + 1, rule.least_windows) if leading == candidate else 1
        candidate = leading
    onset = quiet == 0 and run >= rule.least_windows
    if onset:
        said, candidate, run, quiet = leading, NOBODY, 0, rule.refractory_windows
    elif quiet:
        quiet -= 1
    return replace(memory, said=said, candidate=candidate, run=run, quiet=quiet), onset
