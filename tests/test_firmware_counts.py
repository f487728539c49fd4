"""Raw windows as the board's counts. Oracle: rounding by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from front_end_samples import DESIGNS, constants_of

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import InputLayout
from kd_edge.examples.raw import cut_counts, from_counts, to_counts


def test_counts_round_to_the_nearest_and_stop_at_16_bits():
    """Oracle: by hand."""
    counts = to_counts(np.array([0.0, 0.24, 0.26, -0.26, 1e9, -1e9]), 0.5)
    assert counts.tolist() == [0, 0, 1, -1, 32767, -32768]
    assert from_counts(counts, 0.5).dtype == np.float32


def test_a_stream_whose_counts_mean_nothing_known_is_refused():
    constants = constants_of(*DESIGNS["ISL: envelope at 200 Hz"], {})
    unknown = replace(constants, streams=(replace(constants.streams[0], lsb=None),))
    samples = {"emg": np.zeros((500, 8))}
    layout = InputLayout("all", ("emg",), (400, 8))
    with pytest.raises(KdEdgeError) as caught:
        cut_counts(samples, replace(unknown, inputs=(layout,)), 0.0)
    assert caught.value.code == "KD_COUNTS"


def test_a_recording_that_ends_before_its_window_is_refused():
    constants = constants_of(*DESIGNS["ISL: envelope at 200 Hz"], {})
    samples = {s.name: np.zeros((399, len(s.channels))) for s in constants.streams}
    with pytest.raises(KdEdgeError) as caught:
        cut_counts(samples, constants, 0.0)
    assert caught.value.code == "KD_WINDOW_TOO_LONG"
