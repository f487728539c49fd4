"""A board beside the student of a source. Oracle: both run one model, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from live_samples import CLASSES, HOP_S, replay, streaming_board

from kd_edge.examples.raw import from_counts
from kd_edge.link.device import Device
from kd_edge.live.loop import Limits, LiveLoop
from kd_edge.live.plain import figure_lines
from kd_edge.live.sources.replay import Replay
from kd_edge.live.student import Cutting, Student, facts_beside, student_facts
from kd_edge.signals.recording import Recording, Stream

N_WINDOWS = 12


def recording(front_end) -> Recording:
    """What the sensors of `streaming_board` play, as samples in their units."""
    streams = tuple(
        Stream(
            modality=s.name, sensor="", channels=s.channels, rate_hz=s.source_rate_hz, unit=s.unit,
            samples=from_counts(np.concatenate([w[s.name] for w in replay()]), s.lsb),
        )
        for s in front_end.streams
    )  # fmt: skip
    return Recording(streams, "a.npz", "house")


@pytest.mark.parametrize("board", ["host", pytest.param("qemu-an386", marks=pytest.mark.qemu)])
def test_a_real_image_and_the_student_answer_a_source_bit_for_bit(board, tmp_path):
    with streaming_board(tmp_path, board) as (url, host), Device.open(url) as device:
        source = Replay(recording(host.front_end), speed=0.0)
        cutting = Cutting(start_s=0.0, hop_s=HOP_S, anew=True)
        student = Student(source, host, cutting, decides=False, board=device)
        known = {"classes": CLASSES, "title": "t"}
        own = student_facts(student, host, "file://a.npz", model_sha256="", version="0", **known)
        facts = facts_beside(own, device)
        summary = LiveLoop(student, facts).run(Limits(windows=N_WINDOWS))
    figures = summary.figures
    assert summary.error is None
    assert facts.board == device.hello.board
    assert facts.ticks_kind == device.hello.ticks_kind
    assert figures.compared == figures.windows == figures.same_scores == N_WINDOWS
    assert (figures.differing, figures.largest_steps) == ((), 0)
    assert figures.median_us > 0
    agreed = f"100.0 % same scores in {N_WINDOWS} windows"
    assert any(agreed in line and host.name in line for line in figure_lines(figures, facts))
