"""Logarithm and running normaliser: closed forms in float64, and the order of windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import FrontEndConstants, InputLayout
from kd_edge.base.logarithm import SMALLEST, log_float32
from kd_edge.base.running import (
    RunningConstants,
    RunningState,
    first_state,
    inverse_root,
    is_possible,
    moved,
    normalised,
)
from kd_edge.examples import (
    Examples,
    Groups,
    Sensing,
    Windowing,
    as_worn,
    cut_windows,
    fit_front_end,
    fold_examples,
    from_other_starts,
    in_order,
    normalise,
)
from kd_edge.examples.following import followed
from kd_edge.examples.orders import OTHER_ORDERS
from kd_edge.examples.raw import Wearer, cut_counts, window_from_counts
from kd_edge.frontend import StreamFrontEnd, design_stream
from kd_edge.signals.recording import Recording, Stream
from kd_edge.splits import Fold, SplitPart

PARTS = ("train", "validation", "test")
RUNNING = RunningConstants(weight_windows=3, memory_windows=1000, floor=0.1)
ADAPT = StreamFrontEnd(envelope_hz=5.0, log=True, adapt={"weight_windows": 3, "starts": 4})
WINDOWS = Windowing(length_s=1.0, hop_s=0.5, inputs={"x": ("emg", "acc")})


def test_the_logarithm_is_within_two_units_in_the_last_place():
    """Oracle: NumPy's in float64; 1e-7 near 1, where a unit of the result is smaller than that."""
    rng = np.random.default_rng(0)
    x = np.float32(np.concatenate([np.exp(rng.uniform(-87, 88, 9999)), rng.uniform(0.5, 2, 9999)]))
    x = np.concatenate([x, np.float32([SMALLEST, 1, np.finfo(np.float32).max])])
    exact = np.log(x.astype(np.float64))
    error = np.abs(log_float32(x) - exact)
    assert (error <= np.maximum(2 * np.spacing(np.abs(exact).astype(np.float32)), 1e-7)).all()
    assert log_float32(np.float32([1]))[0] == 0


def test_the_inverse_root_is_within_two_units_in_the_last_place():
    """Oracle: NumPy's in float64."""
    x = np.float32(np.exp(np.random.default_rng(0).uniform(-80, 80, 9999)))
    found = inverse_root(x)
    assert (np.abs(found - 1 / np.sqrt(x.astype(np.float64))) <= 2 * np.spacing(found)).all()


def windows(n=40, samples=30, channels=2, seed=0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.float32(rng.normal(2, 3, (n, samples, channels)))


def test_the_state_is_the_mean_of_the_training_part_and_all_windows():
    """Oracle: (weight * training's + the sum over windows) / (weight + windows), in float64."""
    z, state = windows(), first_state(2)
    for window in z:
        state = moved(window, state, RUNNING, np.array([True, True]))
    exact = z.astype(np.float64).mean(axis=1).sum(axis=0) / (3 + 40)
    np.testing.assert_allclose(state.mean, exact, rtol=1e-5)
    square = ((z.astype(np.float64) ** 2).mean(axis=1).sum(axis=0) + 3) / (3 + 40)
    np.testing.assert_allclose(state.square, square, rtol=1e-5)
    assert state.windows.tolist() == [40, 40]


def test_old_windows_fade_behind_the_memory():
    """Oracle: with memory 5 and weight 3 each later window weighs 1 / 8, and 7 / 8 of the rest."""
    z, state, running = windows(), first_state(2), replace(RUNNING, memory_windows=5)
    for window in z:
        state = moved(window, state, running, np.array([True, True]))
    means = z.astype(np.float64).mean(axis=1)
    exact = means[:5].sum(axis=0) / 8
    for mean in means[5:]:
        exact = exact * 7 / 8 + mean / 8
    np.testing.assert_allclose(state.mean, exact, rtol=1e-5)
    assert state.windows.tolist() == [5, 5]


def test_many_wearers_at_once_are_followed_as_each_by_itself():
    """Oracle: one window after the other, bit for bit; the last two windows stand in no order."""
    z, orders = windows(40, channels=3), [[5, 3, 4], [*range(9, 38)], [0, 8], [6], [2, 7, 1]]
    usable = np.random.default_rng(1).random((40, 3)) < 0.8
    running = replace(RUNNING, memory_windows=7)
    found = followed(z, orders, running, usable)
    every = normalised(z, found, running)
    for order in [*orders, [38], [39]]:
        state = first_state(3)
        for at in order:
            state = moved(z[at], state, running, usable[at])
            for name, expected in vars(state).items():
                np.testing.assert_array_equal(getattr(found, name)[at], expected)
            np.testing.assert_array_equal(every[at], normalised(z[at], state, running))
    assert followed(z[:0], [], running, usable[:0]).mean.shape == (0, 3)


def test_a_normalised_stream_ends_with_mean_zero_and_deviation_one():
    """Oracle: the definition, for a wearer unlike the training part."""
    z, state = windows(400), first_state(2)
    for window in z:
        state = moved(window, state, RUNNING, np.array([True, True]))
    after = np.concatenate([normalised(window, state, RUNNING) for window in z])
    np.testing.assert_allclose(after.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(after.std(axis=0), 1, atol=0.02)


def test_the_deviation_has_a_floor_and_channels_that_are_not_usable_stay():
    flat = np.full((30, 2), np.float32(4))
    state, running = first_state(2), replace(RUNNING, memory_windows=10)
    for _ in range(400):
        state = moved(flat, state, running, np.array([True, False]))
    assert (state.mean[1], state.square[1], state.windows[1]) == (0, 1, 0)
    assert normalised(flat + np.float32(1), state, running)[0, 0] == pytest.approx(10, rel=1e-3)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"mean": np.nan},
        {"mean": np.inf},
        {"square": -1.0},
        {"square": np.nan},
        {"mean": 3.0, "square": 8.0},
        {"square": 1e31},
        {"windows": -1},
    ],
)
def test_states_that_no_windows_lead_to_are_refused(spoilt):
    good = first_state(2)
    assert is_possible(good)
    arrays = {name: array.copy() for name, array in vars(good).items()}
    for name, value in spoilt.items():
        arrays[name][1] = value
    assert not is_possible(RunningState(**arrays))


def recording(subject: str, trial: int, *, label="a", strength=1.0, started=None) -> Recording:
    """Three seconds of a person's noise: sEMG at 200 Hz, acceleration at 50 Hz."""
    rng = np.random.default_rng([trial, *subject.encode()])
    emg = np.float32(np.rint(strength * rng.normal(0, 100, (600, 2))))
    acc = np.float32(rng.integers(-900, 900, (150, 1)))
    return Recording(
        streams=(
            Stream("emg", "s", ("E1", "E2"), emg, 200.0, "mV", lsb=1.0),
            Stream("acc", "s", ("A1",), acc, 50.0, "g", lsb=1.0),
        ),
        source=f"{subject}_{trial}.csv",
        label=label,
        subject=subject,
        session="day 1",
        trial=trial,
        started=started,
    )


FRONT_END = {
    "emg": StreamFrontEnd(
        envelope_hz=5.0, rate_hz=50.0, log=True, adapt={"weight_windows": 3, "starts": 4}
    ),
    "acc": StreamFrontEnd(),
}


@pytest.fixture(scope="module")
def people():
    """(recordings, cut windows, front end): three people of other strengths."""
    recordings = [
        recording(subject, trial, strength=strength)
        for subject, strength in (("S1", 1.0), ("S2", 5.0), ("S3", 30.0))
        for trial in (2, 0, 1)
    ]
    cut, designs = cut_windows(recordings, FRONT_END, WINDOWS, ("a",))
    return recordings, cut, fit_front_end(cut, designs, FRONT_END, WINDOWS)


def test_a_persons_windows_come_in_the_order_of_their_recordings(people):
    """Oracle: by hand; recordings lie as trials 2, 0, 1, and each has five windows."""
    recordings, cut, _ = people
    orders = in_order(cut, [r.info() for r in recordings])
    assert [order.tolist() for order in orders] == [
        [*range(at + 5, at + 15), *range(at, at + 5)] for at in (0, 15, 30)
    ]


def test_starts_tell_the_order_before_trials_do():
    recordings = [
        recording("S1", 0, started="2026-01-01T10:00:05"),
        recording("S1", 1, started="2026-01-01T10:00:00"),
    ]
    cut, _ = cut_windows(recordings, FRONT_END, WINDOWS, ("a",))
    (order,) = in_order(cut, [r.info() for r in recordings])
    assert order.tolist() == [5, 6, 7, 8, 9, 0, 1, 2, 3, 4]


def test_people_of_other_strengths_become_alike(people):
    """Oracle: the envelopes' means differ thirtyfold; what is worn differs by little at the end."""
    recordings, cut, constants = people
    worn = as_worn(cut, constants, [r.info() for r in recordings])
    before = normalise(cut, constants).inputs["x"][..., 0].mean(axis=1)
    after = worn.inputs["x"][..., 0].mean(axis=1)
    last = [at + 4 for at in (0, 15, 30)]  # of trial 2, the last of each
    assert np.ptp(before[last]) > 2
    assert np.ptp(after[last]) < 0.35 * np.ptp(before[last])
    np.testing.assert_array_equal(
        worn.inputs["x"][..., 2], normalise(cut, constants).inputs["x"][..., 2]
    )


def test_lessons_hold_every_window_from_as_many_starts(people):
    """Oracle: the first are in their order; the others after another past, whole recordings."""
    recordings, cut, constants = people
    infos = [r.info() for r in recordings]
    lessons = from_other_starts(cut, constants, infos, starts=4, seed=1)
    n = len(cut)
    assert len(lessons) == 4 * n
    first = as_worn(cut, constants, infos)
    np.testing.assert_array_equal(lessons.inputs["x"][:n], first.inputs["x"])
    for start in (1, 2, 3):
        part = slice(start * n, (start + 1) * n)
        np.testing.assert_array_equal(lessons.truth[part], cut.truth)
        np.testing.assert_array_equal(lessons.groups.recording[part], cut.groups.recording)
    assert len({lessons.inputs["x"][start * n, 0, 0] for start in range(4)}) > 1


def test_a_fold_makes_a_part_when_it_is_asked_for_and_knows_its_size_before(people):
    """Oracle: the parts themselves; a fleet asks each place for its tests alone."""
    recordings, cut, _ = people
    _, designs = cut_windows(recordings, FRONT_END, WINDOWS, ("a",))
    sensing = Sensing(designs, FRONT_END, WINDOWS, [r.info() for r in recordings])
    dealt = [SplitPart(n, n, n, np.arange(3) + 3 * i, None, 0) for i, n in enumerate(PARTS)]
    fold = fold_examples(cut, Fold("f", dealt[0], dealt[1], (dealt[2],)), sensing)
    assert tuple(fold.tests) == tuple(part.name for part in fold.fold.tests)
    assert [*fold.tests] == ["test", *(f"test, {order}" for order in OTHER_ORDERS)]
    assert vars(fold).keys().isdisjoint({"lessons", "training", "validation"})
    assert (fold.n_lessons, fold.n_validation) == (len(fold.lessons), len(fold.validation))
    first = fold.lessons.inputs["x"][: len(fold.training)]
    np.testing.assert_array_equal(first, fold.training.inputs["x"])


def test_a_board_that_is_worn_and_training_agree(people):
    """Oracle: two paths to one value: whole recordings in float64, and counts from rest.

    The first window of a recording has the same past on both: nothing, so that they are alike.
    """
    _, cut, constants = people
    ours = replace(constants, streams=tuple(replace(s, lsb=1.0) for s in constants.streams))
    recordings = [recording("S2", trial, strength=5.0) for trial in (0, 1, 2)]
    whole = replace(WINDOWS, hop_s=None)
    cut, _ = cut_windows(recordings, FRONT_END, whole, ("a",))
    expected = as_worn(cut, ours, [r.info() for r in recordings]).inputs["x"]
    wearer = Wearer(ours)
    for window, made in zip(expected, recordings, strict=True):
        samples = {stream.modality: stream.samples for stream in made.streams}
        found = window_from_counts(cut_counts(samples, ours, 0.0), ours, wearer)
        np.testing.assert_allclose(found["x"], window, atol=2e-3)


@pytest.fixture
def worn(people):
    """A wearer after two windows, and the counts of a third."""
    _, _, constants = people
    counts = [
        cut_counts({s.modality: s.samples for s in recording("S3", t).streams}, constants, 0.0)
        for t in range(3)
    ]
    wearer = Wearer(constants)
    for window in counts[:2]:
        window_from_counts(window, constants, wearer)
    return constants, wearer, counts[2]


def test_a_kept_state_goes_on_as_if_nothing_had_happened(worn):
    constants, wearer, counts = worn
    other = Wearer(constants)
    other.restore(wearer.state)
    found = [window_from_counts(counts, constants, w)["x"] for w in (wearer, other)]
    np.testing.assert_array_equal(*found)
    fresh = window_from_counts(counts, constants)["x"]
    assert not np.array_equal(found[0], fresh)
    wearer.reset()
    np.testing.assert_array_equal(window_from_counts(counts, constants, wearer)["x"], fresh)


def test_a_frozen_state_stays_whatever_comes(worn):
    constants, wearer, counts = worn
    wearer.frozen = True
    before = wearer.state
    window_from_counts(counts, constants, wearer)
    np.testing.assert_array_equal(wearer.state.mean, before.mean)
    np.testing.assert_array_equal(wearer.state.windows, before.windows)


def test_a_state_of_another_front_end_is_refused(worn):
    _, wearer, _ = worn
    with pytest.raises(KdEdgeError, match="has 5 channels, not 3") as caught:
        wearer.restore(first_state(5))
    assert caught.value.code == "KD_SHAPE"
    with pytest.raises(KdEdgeError, match="no windows lead to this state"):
        wearer.restore(replace(first_state(3), square=np.full(3, np.nan, np.float32)))


@pytest.mark.parametrize("end", [-32768, 32767])
def test_channels_that_clip_or_are_flat_do_not_move(worn, end):
    constants, wearer, counts = worn
    before = wearer.state
    emg = counts["emg"].copy()
    emg[17, 0] = end
    emg[:, 1] = 7
    window_from_counts({**counts, "emg": emg}, constants, wearer)
    np.testing.assert_array_equal(wearer.state.mean, before.mean)
    assert wearer.state.windows.tolist() == [2, 2, 0]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"log": True}, "log is for an envelope"),
        ({"adapt": True, "normalise": False}, "leave normalise on"),
        ({"adapt": {"weight_windows": 0}}, "weight_windows"),
        ({"adapt": {"wait_windows": 3}}, "no option 'adapt.wait_windows'"),
        ({"adapt": {"floor": 0}}, "floor"),
        ({"envelope_hz": 5, "log": True, "log_floor": 0}, "log_floor"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, said):
    with pytest.raises(KdEdgeError) as caught:
        StreamFrontEnd(**settings)
    assert said in str(caught.value)


def test_a_front_end_that_learns_nothing_leaves_windows_as_they_were():
    """Oracle: `normalise` alone; a wearer of such a front end knows nothing."""
    design = design_stream("emg", StreamFrontEnd(), channels=("E",), source_rate_hz=50.0, lsb=1.0)
    constants = FrontEndConstants((design,), (InputLayout("x", ("emg",), (5, 1)),))
    inputs = {"x": np.float32(np.arange(10).reshape(2, 5, 1))}
    examples = Examples(inputs, np.zeros(2, np.int64), Groups.each(["a", "b"]), ("k",))
    infos = [recording("S1", t).info() for t in (0, 1)]
    np.testing.assert_array_equal(as_worn(examples, constants, infos).inputs["x"], inputs["x"])
    assert len(from_other_starts(examples, constants, infos, starts=3, seed=0)) == 2
    wearer = Wearer(constants)
    window_from_counts({"emg": np.arange(5, dtype=np.int16)[:, None]}, constants, wearer)
    assert wearer.state.windows.tolist() == [0]
