"""Decisions over windows: by hand, in real numbers, and the C that boards run, bit for bit."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from decision_samples import decide_all, random_rule, stream
from firmware_samples import STRICT, run
from hypothesis import given
from hypothesis import strategies as st
from programs import need

import firmware_export
from kd_edge.base.decision import NOBODY, ONE, DecisionRule, sureness

RULES = Path(firmware_export.__file__).parent / "runtime" / "rules"
A, B, C = (np.array(row, np.int8) for row in ([90, 0, 0], [0, 90, 0], [0, 0, 90]))
UNSURE = np.array([5, 4, 5], np.int8)
# A step is 0.1: 90 steps are a share of 0.9998.
PLAIN = DecisionRule(classes=3, scale=0.1)


def said(rule, windows) -> str:
    """What is said after each window: 'a', 'b', 'c' or '-'; an onset in capitals."""
    letters = []
    for decision in decide_all(rule, np.array(windows)):
        letter = "-" if decision.said == NOBODY else "abc"[decision.said]
        letters.append(letter.upper() if decision.onset else letter)
    return "".join(letters)


def half(share: float) -> int:
    return round(share * ONE)


@given(st.integers(0, 2**32 - 1))
def test_a_rule_that_asks_for_nothing_says_the_largest_score(seed):
    """Oracle: NumPy's argmax, the first of equals."""
    scores = stream(np.random.default_rng(seed), 60, 5)
    found = decide_all(DecisionRule(classes=5, scale=0.05), scores)
    np.testing.assert_array_equal([d.said for d in found], scores.argmax(axis=1))
    assert not any(d.rejected for d in found)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_the_mean_is_that_of_log_probabilities(seed, windows):
    """Oracle: float64 softmax of each window; windows that have not come are uniform."""
    rng = np.random.default_rng(seed)
    rule = DecisionRule(classes=4, scale=0.04, temperature=1.7, windows=windows)
    scores = stream(rng, 20, 4)
    logits = scores * 0.04 / 1.7
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    logs = np.concatenate([np.zeros((windows, 4)), logs])
    for i, decision in enumerate(decide_all(rule, scores)):
        mean = logs[i + 1 : i + 1 + windows].mean(axis=0)
        shares = np.exp(mean) / np.exp(mean).sum()
        # Half a step of the mean, and what 15 bits round.
        slack = 0.5 * 0.04 / 1.7 + 2e-4
        assert shares[decision.leading] >= shares.max() - slack
        assert decision.confidence / ONE == pytest.approx(shares.max(), abs=slack)


def test_a_majority_is_the_share_of_votes():
    """Oracle: by hand."""
    rule = replace(PLAIN, windows=4, combine="majority")
    found = decide_all(rule, np.array([A, B, B, C, B, C]))
    assert [d.leading for d in found] == [0, 0, 1, 1, 1, 1]
    assert [d.confidence * 4 // ONE for d in found] == [1, 1, 2, 2, 3, 2]


def test_a_class_is_said_after_the_least_windows_and_until_it_is_left():
    rule = replace(PLAIN, windows=2, combine="majority", enter=half(1), leave=half(0.5))
    assert said(rule, [A, A, A, B, B, B]) == "-AaaBb"
    three = replace(PLAIN, least_windows=3)
    assert said(three, [A, A, B, A, A, A, A, B, B, B]) == "-----AaaaB"


def test_hysteresis_keeps_a_class_through_a_dip_that_would_not_have_begun_it():
    rule = replace(PLAIN, enter=half(0.9), leave=half(0.3))
    assert said(rule, [UNSURE, A, UNSURE, A, C]) == "-AaaC"
    assert said(replace(rule, leave=half(0.9)), [UNSURE, A, UNSURE, A, C]) == "-A-AC"


def test_no_onset_comes_in_the_refractory_windows():
    rule = replace(PLAIN, enter=half(0.9), leave=half(0.9), refractory_windows=2)
    assert said(rule, [A, UNSURE, A, A, UNSURE, B]) == "A--A--"
    assert said(replace(rule, refractory_windows=0), [A, UNSURE, A, A]) == "A-Aa"


def test_the_rest_is_never_said_and_ends_what_is():
    rule = replace(PLAIN, rest=2, enter=half(0.9))
    assert said(rule, [C, A, A, C, C, B]) == "-Aa--B"


@pytest.mark.parametrize(
    "by",
    [
        {"least_share": half(0.9)},
        {"least_margin": 10},
        {"prototypes": ((90, 0, 0), (0, 90, 0), (0, 0, 90)), "most_distance": 100},
    ],
)
def test_a_rejected_window_knows_nothing(by):
    """Oracle: by hand: 5, 4, 5 is a share of 0.34, a margin of 0, and far from all prototypes."""
    rule = replace(PLAIN, windows=2, combine="majority", **by)
    found = decide_all(rule, np.array([A, UNSURE, A, A]))
    assert [d.rejected for d in found] == [False, True, False, False]
    assert [d.confidence * 2 // ONE for d in found] == [1, 1, 1, 2]
    mean = decide_all(replace(rule, combine="mean"), np.array([UNSURE, UNSURE]))
    assert [(d.rejected, d.confidence) for d in mean] == [(True, ONE // 3)] * 2


def test_a_distance_is_the_squared_steps_to_the_best_classs_prototype():
    rule = replace(PLAIN, prototypes=((90, 2, 0), (0, 0, 0), (0, 0, 0)), most_distance=3)
    found = sureness(rule, A[None])
    assert found.distance.tolist() == [4]
    assert found.rejected(rule).tolist() == [True]
    assert found.rejected(replace(rule, most_distance=4)).tolist() == [False]


def test_shares_are_the_exponential_of_calibrated_steps():
    """Oracle: float64's exp, to its last bit or so."""
    found = np.array(DecisionRule(classes=2, scale=0.03, temperature=2.5).shares)
    exact = ONE * np.exp(-np.arange(256) * 0.03 / 2.5)
    assert (found[0], len(found)) == (ONE, 256)
    assert np.abs(found - exact).max() <= 0.5 + 1e-6


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"classes": 1}, "2 classes"),
        ({"classes": NOBODY}, "2 classes"),
        ({"scale": 0.0}, "scale"),
        ({"temperature": float("nan")}, "temperature"),
        ({"windows": 0}, "windows decide"),
        ({"windows": 256}, "windows decide"),
        ({"combine": "best"}, "combined"),
        ({"enter": 1, "leave": 2}, "entered"),
        ({"enter": ONE + 1}, "entered"),
        ({"least_windows": 0}, "leads"),
        ({"refractory_windows": -1}, "onset"),
        ({"rest": 3}, "rest"),
        ({"least_share": ONE + 1}, "share"),
        ({"least_margin": 256}, "margin"),
        ({"most_distance": 2**32}, "distance"),
        ({"prototypes": ((0, 0, 0),)}, "one prototype"),
        ({"prototypes": ((0, 0),) * 3}, "score a class"),
        ({"prototypes": ((0, 0, 128),) * 3}, "int8"),
    ],
)
def test_a_rule_whose_parts_do_not_fit_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(PLAIN, **changes)


# --- the C that boards run ---

HOST = r"""
#include <stdio.h>
#include <stdlib.h>
#include "kd_decision.h"
/* records of (12 x int32 facts, 256 x uint16 shares, prototypes if any, n rows of int8 scores)
 * -> 5 x uint16 a row */
static void *fetch(size_t n)
{
    void *bytes = malloc(n);
    if (bytes == NULL || fread(bytes, n, 1, stdin) != 1) {
        exit(1);
    }
    return bytes;
}
int main(void)
{
    int32_t f[13];
    while (fread(f, sizeof f, 1, stdin) == 1) {
        const size_t classes = (size_t)f[0], windows = (size_t)f[1];
        kd_decision_rule rule = {
            .classes = (uint16_t)f[0], .windows = (uint8_t)f[1], .majority = f[2] != 0,
            .enter = (uint16_t)f[3], .leave = (uint16_t)f[4], .least_windows = (uint16_t)f[5],
            .refractory_windows = (uint16_t)f[6], .rest = (uint16_t)f[7],
            .least_share = (uint16_t)f[8], .least_margin = (uint8_t)f[9],
            .most_distance = (uint32_t)f[10],
        };
        uint16_t *shares = fetch(2 * KD_DECISION_STEPS);
        int8_t *prototypes = f[11] ? fetch(classes * classes) : NULL;
        int8_t *scores = fetch(classes * (size_t)f[12]);
        rule.shares = shares;
        rule.prototypes = prototypes;
        kd_decision_memory memory = {.rows = malloc(windows * classes),
                                     .sums = malloc(2 * classes)};
        kd_decision_reset(&rule, &memory);
        for (size_t i = 0; i < (size_t)f[12]; i++) {
            const kd_decision d = kd_decision_take(&rule, &memory, scores + i * classes);
            const uint16_t out[5] = {d.said, d.leading, d.confidence, d.onset, d.rejected};
            fwrite(out, sizeof out, 1, stdout);
        }
        free(memory.rows);
        free(memory.sums);
        free(scores);
        free(prototypes);
        free(shares);
    }
    return 0;
}
"""


def asked(rule: DecisionRule, scores: np.ndarray) -> bytes:
    facts = (
        rule.classes, rule.windows, rule.combine == "majority", rule.enter, rule.leave,
        rule.least_windows, rule.refractory_windows, rule.rest, rule.least_share,
        rule.least_margin, rule.most_distance, bool(rule.prototypes), len(scores),
    )  # fmt: skip
    shares = np.array(rule.shares, "<u2").tobytes()
    prototypes = np.array(rule.prototypes, np.int8).tobytes()
    return struct.pack("<13i", *facts) + shares + prototypes + scores.tobytes()


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_c_decides_bit_for_bit(compiler, tmp_path):
    """Oracle: kd_edge.base.decision; under the address and undefined-behaviour sanitizers."""
    need(compiler)
    (tmp_path / "host.c").write_text(HOST)
    run(
        compiler, "-std=c99", *STRICT, "-g", "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all", "-I", RULES, tmp_path / "host.c", RULES / "kd_decision.c",
        "-o", tmp_path / "host",
    )  # fmt: skip
    rng = np.random.default_rng(11)
    sent, expected, onsets = b"", [], 0
    for _ in range(80):
        classes = int(rng.choice([2, 3, 7, 26]))
        rule, scores = random_rule(rng, classes), stream(rng, 40, classes)
        sent += asked(rule, scores)
        for d in decide_all(rule, scores):
            expected.append((d.said, d.leading, d.confidence, d.onset, d.rejected))
            onsets += d.onset
    found = np.frombuffer(run(tmp_path / "host", stdin=sent), "<u2").reshape(-1, 5)
    np.testing.assert_array_equal(found, expected)
    assert onsets > 100
