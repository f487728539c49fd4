"""Rules that join models: closed forms in real numbers, and the C that boards run, bit for bit."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from firmware_samples import STRICT, run
from hypothesis import given
from hypothesis import strategies as st
from programs import need

import firmware_export
from kd_edge.base.composition import (
    ALL,
    Composition,
    answer,
    averaged,
    common_scale,
    joined_inputs,
    margin,
    picked,
    real_answers,
    rescaled,
)
from kd_edge.base.tensors import TensorSpec

RULES = Path(firmware_export.__file__).parent / "runtime" / "rules"
RNG = np.random.default_rng(5)
CLASSES = 6
SCALES = st.tuples(st.floats(2**-13, 1000, width=32), st.integers(-128, 127))


def spec(scale, zero_point, name="logits", shape=(1, CLASSES)):
    return TensorSpec(name, shape, "int8", scale, zero_point)


def int8(*shape):
    return RNG.integers(-128, 128, shape).astype(np.int8)


def real(scores, output):
    return (scores.astype(np.float64) - output.zero_point) * np.float32(output.scale)


@given(st.lists(SCALES, min_size=2, max_size=4), st.integers(0, 2**32 - 1))
def test_an_answer_on_the_common_scale_is_the_models_own(quantisations, seed):
    """Oracle: the real values, half a step wide, and the class by NumPy's argmax."""
    outputs = [spec(*q) for q in quantisations]
    common = common_scale("cascade", outputs)
    rng = np.random.default_rng(seed)
    # Close scores too: those are what rounding could make equal.
    wide = rng.integers(-128, 128, (40, CLASSES))
    close = np.clip(wide[:, :1] + rng.integers(-2, 3, (40, CLASSES)), -128, 127)
    scores = np.concatenate([wide, close]).astype(np.int8)
    for place, output in enumerate(outputs):
        found = rescaled(scores, place, common)
        np.testing.assert_array_equal(found.argmax(axis=1), scores.argmax(axis=1))
        ties = scores == scores.max(axis=1, keepdims=True)
        np.testing.assert_array_equal(found == found.max(axis=1, keepdims=True), ties)
        exact = real(scores, output) / np.float32(common.scale) + common.zero_point
        top = found.max(axis=1, keepdims=True)
        # What the class's own step, or the end of int8, has moved is not rounded any more.
        free = (found < top - 1) & (found > -128)
        assert np.abs(found - exact)[free].max(initial=0) <= 0.501 + 255 * 2.0**-20


@given(SCALES, st.integers(2, 4))
def test_models_that_are_quantised_alike_answer_unchanged(quantisation, n):
    """Oracle: the model's own bytes; the mean of equal scores is the score."""
    outputs = [spec(*quantisation)] * n
    common = common_scale("selector", outputs)
    scores = int8(20, CLASSES)
    assert (common.scale, common.zero_point) == (np.float32(quantisation[0]), quantisation[1])
    np.testing.assert_array_equal(rescaled(scores, n - 1, common), scores)
    mean = common_scale("average", outputs)
    np.testing.assert_array_equal(averaged([scores] * n, mean), scores)


@given(st.lists(SCALES, min_size=2, max_size=5))
def test_an_average_is_the_mean_of_the_real_scores_to_one_step(quantisations):
    """Oracle: float64; half a step for the zero point, half for the score."""
    outputs = [spec(*q) for q in quantisations]
    common = common_scale("average", outputs)
    scores = [int8(30, CLASSES) for _ in outputs]
    exact = np.mean([real(s, o) for s, o in zip(scores, outputs, strict=True)], axis=0)
    found = real(averaged(scores, common), spec(common.scale, common.zero_point))
    assert np.abs(found - exact).max() <= 1.01 * common.scale


def test_an_average_of_two_halves_goes_up():
    """Oracle: by hand: the mean of 3 and 4 is 3.5, of -3 and -4 it is -3.5."""
    common = common_scale("average", [spec(0.5, 0), spec(0.5, 0)])
    pairs = np.array([[3, -3, 127, -128]], np.int8), np.array([[4, -4, 127, -128]], np.int8)
    np.testing.assert_array_equal(averaged(pairs, common), [[4, -3, 127, -128]])


def cascade(*least):
    return Composition("cascade", tuple("abc"[: len(least) + 1]), least_margins=least)


def ask(composition, scores, outputs):
    """The answer, who gave it, and who ran."""
    ran = []

    def run_model(place):
        ran.append(place)
        return scores[place]

    common = common_scale(composition.rule, outputs[: len(composition.models)])
    return *answer(composition, common, run_model), ran


def test_a_cascade_asks_on_until_a_model_is_sure():
    """Oracle: by hand: gaps of 4, 9 and 1 steps."""
    scores = [np.array([row], np.int8) for row in ([5, 1, 0], [0, 20, 11], [7, 8, 7])]
    outputs = [spec(0.1, 0, shape=(1, 3))] * 3
    for least, who in (((4, 9), 0), ((5, 9), 1), ((5, 10), 2), ((256, 256), 2), ((0, 0), 0)):
        found, answered, ran = ask(cascade(*least), scores, outputs)
        assert (answered, ran) == (who, list(range(who + 1)))
        np.testing.assert_array_equal(found, scores[who])


def test_a_cascade_over_pixels_is_sure_only_where_every_pixel_is():
    scores = np.zeros((1, 2, 2, 3), np.int8)
    scores[..., 0] = 9
    assert margin(scores) == 9
    scores[0, 1, 1] = [9, 7, 0]
    assert margin(scores) == 2


def test_a_selector_runs_what_it_picks():
    """Oracle: by hand; the first of equals, as everywhere."""
    three = Composition("selector", ("a", "b", "c"), selector="which")
    models = [int8(1, CLASSES) for _ in range(3)]
    outputs = [spec(0.1, 3)] * 3
    for scores, who in (([1, 5, 2], 1), ([4, 4, 0], 0), ([-9, -9, -8], 2)):
        found, answered, ran = ask(three, [*models, np.array([scores], np.int8)], outputs)
        assert (answered, ran) == (who, [3, who])
        np.testing.assert_array_equal(found, models[who])
    assert [picked(np.array([[v]], np.int8), 10) for v in (-128, 9, 10, 127)] == [0, 0, 1, 1]


def test_the_rule_over_real_scores_answers_as_over_whole_ones():
    """Oracle: `answer` on int8 scores, which are dequantised for the other side."""
    outputs = [spec(0.1, 3), spec(0.25, -10), spec(0.05, 0)]
    which = spec(0.5, 7, shape=(1, 3))
    scores = [int8(50, CLASSES) for _ in outputs] + [int8(50, 3)]
    for composition in (
        Composition("average", ("a", "b", "c")),
        cascade(7, 30),
        Composition("selector", ("a", "b", "c"), selector="s"),
    ):
        specs = dict(zip((*composition.models, "s"), (*outputs, which), strict=True))
        values = {n: real(v, specs[n]) for n, v in zip(specs, scores, strict=True)}
        found, who = real_answers(composition, specs, values)
        for i in range(50):
            expected, answered, _ = ask(composition, [s[i : i + 1] for s in scores], outputs)
            assert who[i] == answered
            if answered != ALL:
                assert found[i].argmax() == expected.argmax()
                np.testing.assert_allclose(found[i], values["abc"[answered]][i], rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"rule": "vote"}, "no rule"),
        ({"models": ("a",)}, "two models or more"),
        ({"models": ("a", "a")}, "answers twice"),
        ({"selector": "c"}, "a selector picks"),
        ({"rule": "selector"}, "a selector picks"),
        ({"rule": "selector", "selector": "a"}, "answers twice"),
        ({"rule": "cascade"}, "a margin for each model"),
        ({"rule": "cascade", "least_margins": (257,)}, "0 to 256"),
        ({"least_margins": (1,)}, "a margin for each model"),
        ({"threshold": 128}, "int8 step"),
    ],
)
def test_a_rule_whose_parts_do_not_fit_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        Composition(**{"rule": "average", "models": ("a", "b"), **changes})


def test_inputs_that_are_quantised_alike_are_shared_and_others_are_not():
    emg, other = spec(0.1, 3, "emg", (1, 8)), spec(0.2, 3, "emg", (1, 8))
    acc = spec(0.5, 0, "acc", (1, 4))
    models = [("a", (emg,), ("emg",)), ("b", (acc, emg), ("acc", "emg")), ("c", (other,), ("emg",))]
    inputs, feeds = joined_inputs(models)
    assert [(i.name, i.window, i.scale) for i in inputs] == [
        ("emg", "emg", 0.1),
        ("acc", "acc", 0.5),
        ("emg of c", "emg", 0.2),
    ]
    assert feeds == ((0,), (1, 0), (2,))


# --- the C that boards run ---

HOST = r"""
#include <stdio.h>
#include "kd_rule.h"
enum { N = 24 };
/* records of (int32 classes, then two models' zero point and factor, answer zero, two rows of int8)
 * -> margin and pick of the first row, both rows rescaled, their average */
int main(void)
{
    int32_t facts[6];
    int8_t rows[2][N];
    while (fread(facts, sizeof facts, 1, stdin) == 1) {
        if (fread(rows, sizeof rows, 1, stdin) != 1) {
            return 1;
        }
        const uint32_t classes = (uint32_t)facts[0];
        int32_t sums[N] = {0};
        int8_t out[N];
        const int32_t found[3] = {kd_rule_margin(rows[0], N, classes),
                                  (int32_t)kd_rule_pick(rows[0], N, 0),
                                  (int32_t)kd_rule_pick(rows[0], 1, facts[1])};
        fwrite(found, sizeof found, 1, stdout);
        for (int m = 0; m < 2; m++) {
            const kd_rule_scale scale = {facts[1 + 2 * m], facts[2 + 2 * m]};
            kd_rule_rescale(rows[m], N, classes, scale, facts[5], out);
            fwrite(out, N, 1, stdout);
            const kd_rule_scale half = {scale.zero_point, scale.factor / 2};
            kd_rule_add(rows[m], N, half, sums);
        }
        kd_rule_mean(sums, N, facts[5], out);
        fwrite(out, N, 1, stdout);
    }
    return 0;
}
"""


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_c_computes_the_rules_bit_for_bit(compiler, tmp_path):
    """Oracle: kd_edge.base.composition; under the address and undefined-behaviour sanitizers."""
    need(compiler)
    (tmp_path / "host.c").write_text(HOST)
    run(
        compiler, "-std=c99", *STRICT, "-g", "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all", "-I", RULES, tmp_path / "host.c", RULES / "kd_rule.c",
        "-o", tmp_path / "host",
    )  # fmt: skip
    asked, expected = [], []
    for number in range(600):
        classes = int(RNG.choice([2, 3, 6, 24]))
        outputs = [spec(10.0 ** RNG.uniform(-4, 2), int(RNG.integers(-128, 128))) for _ in "ab"]
        common = common_scale("cascade", outputs)
        rows = int8(2, 24)
        if number % 3 == 0:  # ends of the range, and scores that lie close
            rows = np.clip(RNG.choice([-128, 127]) + RNG.integers(-2, 3, (2, 24)), -128, 127)
            rows = rows.astype(np.int8)
        facts = [classes]
        for zero_point, factor in zip(common.zero_points, common.factors, strict=True):
            facts += [zero_point, factor]
        asked.append(struct.pack("<6i", *facts, common.zero_point) + rows.tobytes())
        shaped = rows.reshape(2, -1, classes)
        halves = common_scale("cascade", outputs)
        halves = type(halves)(
            common.scale,
            common.zero_point,
            common.zero_points,
            tuple(f // 2 for f in common.factors),
        )
        first = picked(rows[0][:1], common.zero_points[0])
        expected.append(
            struct.pack("<3i", margin(shaped[0]), picked(rows[0], 0), first)
            + b"".join(rescaled(shaped[m], m, common).tobytes() for m in range(2))
            + averaged(list(shaped), halves).tobytes()
        )
    assert run(tmp_path / "host", stdin=b"".join(asked)) == b"".join(expected)
