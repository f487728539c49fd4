"""Windows of a stream, in whatever pieces it comes. Oracle: training's, from the recording."""

from __future__ import annotations

import numpy as np
import pytest

from kd_edge.examples import Windowing, as_worn, cut_windows, fit_front_end
from kd_edge.examples.raw import Wearer
from kd_edge.examples.through import CutStream, Through
from kd_edge.frontend import StreamFrontEnd, apply_stream, design_stream
from kd_edge.signals.recording import Recording, Stream

FRONT_ENDS = {
    "filters that remember, and a wearer": {
        "emg": StreamFrontEnd(
            band_pass_hz=(20, 450), notch_hz=(50,), envelope_hz=8, rate_hz=148.148148, log=True,
            adapt=True,
        ),
        "acc": StreamFrontEnd(adapt={"memory_windows": 7}),
        "gyr": StreamFrontEnd(rate_hz=74.074074),
    },
    "differences": {
        "emg": StreamFrontEnd(
            band_pass_hz=(20, 450), envelope_hz=8, rate_hz=148.148148, log=True, adapt=True,
            differences=2,
        ),
        "acc": StreamFrontEnd(envelope_hz=5, differences=1),
        "gyr": StreamFrontEnd(),
    },
    "a roll that is taken back": {
        "emg": StreamFrontEnd(envelope_hz=20, rate_hz=148.148148, log=True, differences=1),
        "acc": StreamFrontEnd(roll={"memory_windows": 5, "ring": "emg"}, adapt=True),
        "gyr": StreamFrontEnd(),
    },
}  # fmt: skip
RATES = {"emg": 1e4 / 9, "acc": 4e3 / 27, "gyr": 4e3 / 27}


def recording(seconds=6.0) -> Recording:
    rng = np.random.default_rng(4)
    streams = []
    for name, rate_hz in RATES.items():
        own = "12345678" if name == "emg" else "XYZ"
        channels = tuple(f"{name} {each}" for each in own)
        samples = 0.4 + rng.normal(0, 0.3, (round(seconds * rate_hz), len(channels)))
        streams.append(Stream(name, "s", channels, np.float32(samples), rate_hz, "u"))
    return Recording(tuple(streams), "r", label="a", subject="S1", session="1")


def pieces(record: Recording, seed: int):
    """The samples in turn, dealt out at random: (name, first, samples)."""
    rng = np.random.default_rng(seed)
    taken = dict.fromkeys(RATES, 0)
    streams = {stream.modality: stream for stream in record.streams}
    while left := [name for name in RATES if taken[name] < streams[name].n_samples]:
        name = left[rng.integers(len(left))]
        n = int(rng.integers(1, 90))
        first, taken[name] = taken[name], min(taken[name] + n, streams[name].n_samples)
        yield name, first, streams[name].samples[first : taken[name]]


@pytest.mark.parametrize("front_end", FRONT_ENDS.values(), ids=FRONT_ENDS)
def test_a_streams_windows_are_those_of_its_recording_bit_for_bit(front_end):
    windowing = Windowing(
        length_s=0.54,
        hop_s=0.1,
        start_s=0.2,
        inputs={"emg": ("emg",), "imu": ("acc",), "g": ("gyr",)},
    )
    record = recording()
    cut, designs = cut_windows([record], front_end, windowing)
    constants = fit_front_end(cut, designs, front_end, windowing, [record.info()])
    expected = as_worn(cut, constants, [record.info()]).inputs
    for seed in (1, 2):
        stream = CutStream(constants, Wearer(constants), start_s=0.2, hop_s=0.1, anew=False)
        found = [window for piece in pieces(record, seed) for window in stream.take(*piece)]
        assert [window.number for window in found] == list(range(len(cut)))
        for name, arrays in expected.items():
            np.testing.assert_array_equal(np.stack([w.inputs[name] for w in found]), arrays)


def test_windows_that_begin_anew_are_those_of_recordings_that_start_with_them():
    front_end = FRONT_ENDS["filters that remember, and a wearer"]
    windowing = Windowing(length_s=0.54, inputs={"emg": ("emg",), "imu": ("acc",)})
    record = recording(2.0)
    begin = {name: round(0.25 * rate_hz) for name, rate_hz in RATES.items()}
    later = Recording(
        tuple(
            Stream(s.modality, "s", s.channels, s.samples[begin[s.modality] :], s.rate_hz, "u")
            for s in record.streams
        ),
        "later",
        label="a",
        subject="S1",
        session="1",
        trial=1,
    )
    cut, designs = cut_windows([record, later], front_end, windowing)
    constants = fit_front_end(cut, designs, front_end, windowing)
    expected = as_worn(cut, constants, [record.info(), later.info()]).inputs
    stream = CutStream(constants, Wearer(constants), start_s=0.0, hop_s=0.25, anew=True)
    kept = dict(zip(("emg", "acc"), record.streams, strict=False))
    found = []
    for name, whole in kept.items():
        found += list(stream.take(name, 0, whole.samples))
    for name, arrays in expected.items():
        np.testing.assert_array_equal(found[0].inputs[name], arrays[0])
        np.testing.assert_array_equal(found[1].inputs[name], arrays[1])


@pytest.mark.parametrize("rate_hz", [None, 148.148148, 74.074074, 1e4 / 9 * 2 / 3])
def test_samples_pass_one_by_one_as_they_pass_together(rate_hz):
    """Oracle: `apply_stream` of the whole, for ratios up and down."""
    settings = StreamFrontEnd(high_pass_hz=20, rate_hz=rate_hz)
    design = design_stream("emg", settings, channels=("a", "b"), source_rate_hz=1e4 / 9)
    x = np.random.default_rng(3).normal(1, 2, (700, 2)).astype(np.float32)
    through = Through(design)
    found = np.concatenate([through.advance(x[i : i + 1]) for i in range(len(x))])
    np.testing.assert_array_equal(found, apply_stream(x, design))


def test_windows_over_lost_samples_are_left_out_and_none_behind_them():
    """Oracle: behind the gap, a stream that begins at the first sample after it."""
    front_end = {"emg": StreamFrontEnd(high_pass_hz=20)}
    windowing = Windowing(length_s=0.2, hop_s=0.1, inputs={"x": ("emg",)})
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (300, 1)).astype(np.float32)
    record = Recording((Stream("emg", "s", ("a",), x, 100.0, "u"),), "r", label="a")
    cut, designs = cut_windows([record], front_end, windowing)
    constants = fit_front_end(cut, designs, front_end, windowing, [record.info()])
    stream = CutStream(constants, Wearer(constants), start_s=0.0, hop_s=0.1, anew=False)
    found = [*stream.take("emg", 0, x[:100]), *stream.take("emg", 130, x[130:])]
    assert [w.number for w in found] == [*range(9), *range(13, 29)]
    assert [w.ends for w in found] == [(20 + 10 * w.number,) for w in found]
    fresh = CutStream(constants, Wearer(constants), start_s=0.0, hop_s=0.1, anew=False)
    for behind, alone in zip(found[9:], fresh.take("emg", 0, x[130:]), strict=True):
        np.testing.assert_array_equal(behind.inputs["x"], alone.inputs["x"])
