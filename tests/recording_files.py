"""What a recording's file gives when it is read, for the tests of readers."""

from __future__ import annotations

from pathlib import Path

import pytest

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals import read


def refused(path: Path) -> KdEdgeError:
    """The error of a file that cannot be read; it says what to do next."""
    with pytest.raises(KdEdgeError) as caught:
        read(path)
    assert caught.value.hint
    return caught.value


def only(path: Path):
    """The one recording of a file."""
    (recording,) = read(path)
    return recording


CASES = Path(__file__).parent / "cases"


def shown(recording) -> dict[str, tuple[float, int]]:
    """Channel -> rate and samples."""
    return {
        channel: (pytest.approx(stream.rate_hz, rel=1e-4), stream.n_samples)
        for stream in recording.streams
        for channel in stream.channels
    }
