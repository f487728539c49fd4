"""What a stream in which filters run on gives, beside what models were trained on."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from front_end_samples import DESIGNS, constants_of, noise

from firmware_export.front_end import model_front_end
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import layout_samples, raw_samples
from kd_edge.base.roll import RollConstants
from kd_edge.base.settings import MisfitError
from kd_edge.base.tensors import TensorSpec
from kd_edge.examples.cutting import Windowing
from kd_edge.examples.raw import Wearer, from_counts
from kd_edge.examples.single import Passing, single_stream
from kd_edge.examples.streaming import Streamed, StreamedRecording, StreamSteps, step_end
from kd_edge.frontend import StreamFrontEnd, apply_stream, check_constants
from kd_edge.recipe.checks import check_inputs

DEMO = "demo: band-pass, notch, envelope, 2 of 15; two joined"


@pytest.fixture(scope="module")
def front_end():
    return replace(constants_of(*DESIGNS[DEMO], {}), runs_on=True)


def test_samples_may_come_in_any_pieces(front_end):
    """Oracle: all at once."""
    rng = np.random.default_rng(1)
    for stream in front_end.streams:
        counts = noise(rng, 700, len(stream.channels))
        whole = Passing(stream, stream.lsb).advance(counts)
        passing, pieces, at = Passing(stream, stream.lsb), [], 0
        while at < len(counts):
            n = int(rng.integers(0, 40))
            pieces.append(passing.advance(counts[at : at + n]))
            at += n
        np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_a_streams_windows_are_the_ones_that_training_cuts(front_end):
    """Oracle: apply_stream over the recording in float64, then cut: within 2 % of a deviation, of
    which a window from rest, later in the recording, is a whole one off."""
    rng = np.random.default_rng(2)
    counts = {
        s.name: noise(rng, 2 * raw_samples(front_end)[s.name], len(s.channels))
        for s in front_end.streams
    }
    samples = {s.name: from_counts(counts[s.name], s.lsb) for s in front_end.streams}
    streamed = StreamedRecording(samples, front_end, Wearer(front_end))
    start_s = 1.2
    found = streamed.window(start_s)
    streams = {stream.name: stream for stream in front_end.streams}
    for layout in front_end.inputs:
        trained = []
        for stream in (streams[name] for name in layout.streams):
            first = round(start_s * stream.rate_hz)
            x = apply_stream(samples[stream.name], stream)[first : first + layout_samples(layout)]
            trained.append((x - np.float32(stream.mean)) * np.float32(stream.scale))
        np.testing.assert_allclose(found[layout.name], np.concatenate(trained, axis=1), atol=0.02)
    emg = streams["emg"]
    first = round(start_s * emg.source_rate_hz)
    alone = single_stream(counts["emg"][first:], emg, emg.lsb, 400)
    assert np.abs(alone - found["emg"]).max() > 1
    assert streamed.window(10.0) is None


def test_filters_are_known_again_behind_what_the_board_lost(front_end):
    """Oracle: a stream that begins there; and nothing where a lost frame may have held samples."""
    stream = front_end.streams[0]
    rng = np.random.default_rng(3)
    counts = noise(rng, 900, 3)
    steps = StreamSteps(stream, 20)
    steps.take(0, counts[:200])
    assert steps.window(step_end(stream, 20), 20).shape == (20, 3)
    steps.take(230, counts[230:400], sure=False)
    assert steps.window(step_end(stream, 50), 5) is None
    steps.take(401, counts[401:900])
    begun = StreamSteps(stream, 20)
    begun.resume(401)
    begun.take(401, counts[401:900])
    end = step_end(stream, 110)
    np.testing.assert_array_equal(steps.window(end, 20), begun.window(end, 20))
    # The first step behind sample 401 is 54, due with sample 405.
    assert steps.window(step_end(stream, 60), 8) is None
    assert steps.window(step_end(stream, 60), 7) is not None


def test_a_window_of_unknown_filters_is_none(front_end):
    streamed = Streamed(front_end, Wearer(front_end))
    ends = [raw_samples(front_end)[stream.name] for stream in front_end.streams]
    assert streamed.window(ends, {}) is None


def test_a_recipe_says_whether_filters_run_on():
    """Oracle: today's form where nothing is said."""
    inputs = {"x": ("emg",)}
    assert Windowing(length_s=1.0, inputs=inputs).filters == "restart"
    assert Windowing(length_s=1.0, inputs=inputs, filters="run-on").filters == "run-on"


def test_a_roll_and_filters_that_run_on_are_refused(front_end):
    """In a recipe, in a bundle's constants and in an export. Oracle: the error names both."""
    roll = RollConstants("acc", (("acc", 1, 2),), (), memory_windows=200)
    both = replace(front_end, roll=roll)
    with pytest.raises(ValueError, match="roll, and its filters run on"):
        check_constants(both)
    specs = tuple(
        TensorSpec(layout.name, (1, *layout.shape), "int8", 0.1, 0) for layout in both.inputs
    )
    with pytest.raises(KdEdgeError, match="filters cannot run on") as caught:
        model_front_end(both, specs)
    assert caught.value.code == "KD_RECIPE_VALUE"
    recipe = SimpleNamespace(
        front_end={"acc": StreamFrontEnd(roll=True)},
        windows=Windowing(length_s=1.0, inputs={"x": ("acc",)}, filters="run-on"),
    )
    with pytest.raises(MisfitError, match=r"front_end\.acc\.roll") as misfit:
        check_inputs(recipe)
    assert misfit.value.key == "windows.filters"
    recipe.windows = Windowing(length_s=1.0, inputs={"x": ("acc",)}, arithmetic="fixed")
    with pytest.raises(MisfitError, match=r"front_end\.acc\.roll") as misfit:
        check_inputs(recipe)
    assert misfit.value.key == "windows.arithmetic"
