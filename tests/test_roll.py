"""A band that is put on turned gives what it would have given unturned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kd_edge.base.axes import vectors_among
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.roll import RollConstants, ring_places, roll_moved, turn_of, turned_back
from kd_edge.base.running import first_state
from kd_edge.examples import Windowing, as_worn, cut_windows, fit_front_end, from_other_starts
from kd_edge.examples.raw import Wearer, cut_counts, window_from_counts
from kd_edge.examples.rolling import roll_of, rolled_back
from kd_edge.frontend import StreamFrontEnd, check_constants
from kd_edge.signals.recording import Recording, Stream

AXES = ("ACC X", "ACC Y", "ACC Z")
RING = tuple(f"EMG {i}" for i in range(8))
FRONT_END = {
    "emg": StreamFrontEnd(envelope_hz=5.0, rate_hz=50.0, log=True, adapt=True),
    "acc": StreamFrontEnd(adapt=True, roll={"ring": "emg"}),
    "gyr": StreamFrontEnd(),
}
WINDOWS = Windowing(length_s=1.0, inputs={"x": ("emg", "acc", "gyr")})


def turned(vectors: np.ndarray, angle: float) -> np.ndarray:
    """(n, 3) as a sensor that was turned about x by -angle sees them."""
    both = (vectors[:, 1] + 1j * vectors[:, 2]) * np.exp(1j * angle)
    return np.stack([vectors[:, 0], both.real, both.imag], axis=1)


def recordings_of(subject: str, places: int, n: int = 6) -> list[Recording]:
    """The same movements of a band that was put on turned by whole places of its ring."""
    angle = 2 * np.pi * places / 8
    made = []
    for trial in range(n):
        rng = np.random.default_rng(trial)
        emg = np.rint(rng.normal(0, 100, (200, 8)) * np.arange(1, 9))
        acc = np.array([0.3, 0.8, 0.1]) + 0.2 * rng.normal(size=(50, 3))
        gyr = 40 * rng.normal(size=(50, 3))
        emg = np.float32(np.roll(emg, places, axis=1))
        streams = (
            Stream("emg", "s", RING, emg, 200.0, "mV", lsb=1.0),
            Stream("acc", "s", AXES, np.float32(turned(acc, angle)), 50.0, "g", lsb=2.0**-11),
            Stream(
                "gyr", "s", tuple(a.replace("ACC", "GYR") for a in AXES),
                np.float32(turned(gyr, angle)), 50.0, "deg/s", lsb=1 / 16,
            ),
        )  # fmt: skip
        made.append(
            Recording(
                streams=streams, source=f"{subject} {trial}", label="ab"[trial % 2],
                subject=subject, session="day 1", trial=trial,
            )
        )  # fmt: skip
    return made


@pytest.fixture(scope="module")
def bands():
    """(recordings, cut windows, their infos, front end) of one person with a band turned by 0, 3
    and 6 places; gravity lies 7° from the first axis, so that no place is in doubt."""
    recordings = [r for places in (0, 3, 6) for r in recordings_of(f"S{places}", places)]
    cut, designs = cut_windows(recordings, FRONT_END, WINDOWS, ("a", "b"))
    infos = [r.info() for r in recordings]
    return recordings, cut, infos, fit_front_end(cut, designs, FRONT_END, WINDOWS, infos)


def test_a_turned_band_gives_what_an_unturned_one_gives(bands):
    """Oracle: the same movements, turned by hand before they were recorded."""
    _, cut, infos, constants = bands
    (unturned, *others) = np.split(as_worn(cut, constants, infos).inputs["x"], 3)
    for other in others:
        np.testing.assert_allclose(other, unturned, atol=2e-3)
    assert np.abs(np.subtract(*np.split(cut.inputs["x"], 3)[:2])).max() > 1


def test_bands_at_once_are_turned_as_each_window_after_the_other(bands):
    """Oracle: a wearer's windows one by one, bit for bit; a flat one tells nothing of the roll."""
    _, cut, _, constants = bands
    x = cut.inputs["x"].copy()
    x[4, :, 8:11] = x[4, :1, 8:11]
    orders, roll = [[0, 4, 2], [*range(17, 5, -1)], [5, 1]], constants.roll
    found = rolled_back(replace(cut, inputs={"x": x}), constants, orders).inputs["x"]
    for order in [*orders, [3]]:
        state = first_state(2)
        for at in order:
            state = roll_moved(x[at][:, [9, 10]], state, roll, usable=at != 4)
            for name, span in (("emg", slice(8)), ("acc", slice(8, 11)), ("gyr", slice(11, 14))):
                expected = turned_back(
                    x[at][:, span], name, roll, turn_of(state), channels=x.shape[-1]
                )
                np.testing.assert_array_equal(found[at][:, span], expected)


def test_lessons_read_the_roll_from_every_start(bands):
    """Oracle: whatever came before, the band's angle is the same."""
    _, cut, infos, constants = bands
    lessons = from_other_starts(cut, constants, infos, starts=3, seed=1).inputs["x"]
    for start in np.split(lessons, 3):
        unturned, *others = np.split(start[..., 11:], 3)  # angular rates, of no running normaliser
        for other in others:
            np.testing.assert_allclose(other, unturned, atol=0.35)  # gravity's mean of few windows


def test_raw_windows_of_a_wearer_are_turned_as_trainings_are(bands):
    """Oracle: two paths to one value; envelopes apart, which a board begins from rest."""
    recordings, cut, infos, constants = bands
    wearer = Wearer(constants)
    expected = as_worn(cut, constants, infos).inputs["x"][6:12]
    for recording, window in zip(recordings[6:12], expected, strict=True):
        samples = {s.modality: s.samples for s in recording.streams}
        found = window_from_counts(cut_counts(samples, constants, 0.0), constants, wearer)["x"]
        np.testing.assert_allclose(found, window, atol=5e-3)
    assert wearer.state.windows[-2:].tolist() == [6, 6]


def test_a_kept_roll_goes_on_as_if_nothing_had_happened(bands):
    recordings, _, _, constants = bands
    counts = [
        cut_counts({s.modality: s.samples for s in r.streams}, constants, 0.0)
        for r in recordings[6:9]
    ]
    wearer, other = Wearer(constants), Wearer(constants)
    for window in counts[:2]:
        window_from_counts(window, constants, wearer)
    other.restore(wearer.state)
    found = [window_from_counts(counts[2], constants, w)["x"] for w in (wearer, other)]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("angle", np.linspace(-3, 3, 9))
def test_the_angle_is_that_of_gravitys_mean(angle):
    """Oracle: NumPy's complex numbers; a fourth window counts for a quarter."""
    roll = RollConstants("acc", (("acc", 0, 1),), (), memory_windows=100)
    state, rng = first_state(2), np.random.default_rng(0)
    across = np.float32(rng.normal([np.cos(angle), np.sin(angle)], 0.3, (4, 50, 2)))
    for window in across:
        state = roll_moved(window, state, roll, usable=True)
    found, mean = turn_of(state), across.mean(axis=(0, 1))
    expected = mean / np.hypot(*mean)
    np.testing.assert_allclose([found.cosine, found.sine], expected, atol=1e-6)


def test_without_gravity_across_the_limb_nothing_turns():
    roll = RollConstants("acc", (("acc", 0, 1),), (("emg", 1),), memory_windows=100)
    turn = turn_of(roll_moved(np.zeros((9, 2), np.float32), first_state(2), roll, usable=True))
    x = np.float32(np.random.default_rng(0).normal(size=(5, 8)))
    np.testing.assert_array_equal(turned_back(x, "acc", roll, turn, channels=x.shape[-1]), x)
    np.testing.assert_array_equal(turned_back(x, "emg", roll, turn, channels=x.shape[-1]), x)


@pytest.mark.parametrize("size", [1, 2, 5, 8, 16])
def test_a_ring_moves_by_the_nearest_whole_place(size):
    """Oracle: rounding of the angle."""
    for angle in np.linspace(0.01, 6.2, 40):
        state = replace(first_state(2), mean=np.float32([np.cos(angle), np.sin(angle)]))
        places = round(angle * size / (2 * np.pi)) % size
        for sense in (1, -1):
            expected = (np.arange(size) + sense * places) % size
            np.testing.assert_array_equal(ring_places(size, sense, turn_of(state)), expected)


def test_vectors_are_found_by_their_names():
    names = ["EMG 1", "ACC X", "b.y", "ACC Y", "ACC Z", "b.x", "b.z", "x", "y"]
    assert vectors_among(names) == [[1, 3, 4], [5, 2, 6]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gyr": StreamFrontEnd(roll=True)}, "'gyr' has roll as well"),
        ({"acc": StreamFrontEnd(roll=True, channels=AXES[:2])}, "'acc' holds 0 vectors"),
        ({"acc": StreamFrontEnd(roll={"ring": "gyr"})}, "'gyr' is no modality with a ring"),
        ({"acc": StreamFrontEnd(roll={"ring": "eeg"})}, "'eeg' is no modality with a ring"),
    ],
)
def test_a_roll_that_cannot_be_read_is_refused_by_name(change, said):
    front_end = FRONT_END | change
    _, designs = cut_windows(recordings_of("S", 0, 1), front_end, WINDOWS, ("a", "b"))
    with pytest.raises(KdEdgeError, match=said) as caught:
        roll_of(designs, front_end)
    assert caught.value.code == "KD_RECIPE_VALUE"


def test_an_input_must_take_the_accelerometer_that_tells_the_roll():
    windows = replace(WINDOWS, inputs={"x": ("emg", "gyr")})
    recordings = recordings_of("S", 0, 2)
    cut, designs = cut_windows(recordings, FRONT_END, windows, ("a", "b"))
    designs = [*designs, *cut_windows(recordings, FRONT_END, WINDOWS, ("a", "b"))[1]][-3:]
    with pytest.raises(KdEdgeError, match="which no input takes"):
        fit_front_end(cut, designs, FRONT_END, windows, [r.info() for r in recordings])


def test_a_high_pass_would_leave_no_gravity():
    with pytest.raises(KdEdgeError, match="roll reads gravity"):
        StreamFrontEnd(roll=True, high_pass_hz=1.0)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"gravity": "emg"},
        {"vectors": (("acc", 1, 3),)},
        {"vectors": (("acc", 1, 1),)},
        {"rings": (("emg", 2),)},
        {"rings": (("acc", 1),)},
        {"rings": (("no", 1),)},
        {"memory_windows": 0},
    ],
)
def test_constants_that_no_roll_can_have_are_refused(bands, spoilt):
    """They may come from a file."""
    constants = bands[3]
    check_constants(constants)
    with pytest.raises(ValueError, match="a roll that its streams cannot have"):
        check_constants(replace(constants, roll=replace(constants.roll, **spoilt)))
