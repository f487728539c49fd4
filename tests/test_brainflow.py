"""BrainFlow's synthetic board, which counts its samples. Oracle: BrainFlow's own description."""

from __future__ import annotations

import numpy as np
import pytest

from kd_edge.base.errors import KdEdgeError
from kd_edge.live.sources import open_source

pytest.importorskip("brainflow", reason="BrainFlow is in the extra 'live'")


def test_the_synthetic_boards_samples_come_in_order_with_names_and_units():
    from brainflow.board_shim import BoardIds, BoardShim

    number = BoardIds.SYNTHETIC_BOARD.value
    with open_source("brainflow://synthetic?packages=256") as source:
        assert source.facts.synthetic
        streams = {s.modality: s for s in source.facts.streams}
        assert len(streams["emg"].channels) == len(BoardShim.get_emg_channels(number))
        assert streams["acc"].channels == ("ACC X", "ACC Y", "ACC Z")
        assert streams["gyr"].rate_hz == BoardShim.get_sampling_rate(number)
        numbers = [[] for _ in source.facts.streams]
        while len(numbers[0]) < 50:
            for chunk in source.poll(0.5):
                numbers[chunk.stream] += range(chunk.first, chunk.first + len(chunk.samples))
                assert np.isfinite(chunk.samples).all()
    assert all(own == list(range(len(own))) for own in numbers)


def test_packages_that_the_board_left_out_count_as_lost():
    """Oracle: the count by hand, which goes round at 256."""
    with open_source("brainflow://synthetic?packages=256") as source:
        data = np.zeros((32, 6))
        data[0] = [253, 254, 255, 2, 3, 10]
        found = [(c.first, len(c.samples)) for c in source._chunks(data, 0.0) if c.stream == 0]
    assert found == [(0, 3), (5, 2), (13, 1)]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("brainflow://syntetic", "KD_UNKNOWN_NAME"),
        ("brainflow://cyton?serial_port=/dev/none", "KD_SOURCE_TIMEOUT"),
    ],
)
def test_a_board_that_is_not_there_is_told(url, code):
    with pytest.raises(KdEdgeError) as caught:
        open_source(url)
    assert caught.value.code == code
