"""Signs that markers name. Oracle: the source's own samples at the markers' moments."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest
from live_samples import LSL_CLOCK_S, lsl_name
from test_prompted import Clock, Screen, muscles, place_of, prompts
from waiting import BOUND_S, joined

from kd_edge.base.errors import KdEdgeError
from kd_edge.cli import run
from kd_edge.live.marked import MarkedSession
from kd_edge.live.prompted import PAUSE, QUIT, UNDO, Asked, Timing
from kd_edge.live.sources import open_source
from kd_edge.live.sources.lsl_markers import LslMarkers, Marker
from kd_edge.live.sources.replay import Replay
from kd_edge.signals import read

BEGIN_S = Clock.now_s


class Said:
    """Markers: (when it comes, text, its stamp), in seconds from the start."""

    def __init__(self, clock, said):
        self._clock, self._said = clock, list(said)

    @property
    def ended(self) -> str:
        return "" if self._said else "the markers have ended"

    def poll(self) -> tuple[Marker, ...]:
        found = []
        while self._said and BEGIN_S + self._said[0][0] <= self._clock():
            _, text, at_s = self._said.pop(0)
            found.append(Marker(text, BEGIN_S + at_s))
        return tuple(found)

    def close(self) -> None:
        """Nothing to do."""


def session(tmp_path, said, *, keys=(), wanted=(), seconds=60.0):
    clock, screen = Clock(), Screen(keys)
    source = Replay(muscles(seconds), clock=clock, sleep=clock.sleep)
    asked = Asked(tmp_path, "S1", "day 1", tuple(prompts(*wanted)), Timing(perform_s=1.0))
    return MarkedSession(source, asked, screen, Said(clock, said), clock=clock), screen


def kept(tmp_path) -> dict[str, float]:
    """Label -> where its samples stand in the source, seconds."""
    whole = {stream.modality: stream for stream in muscles().streams}
    places = {}
    for recording in read(tmp_path):
        for stream in recording.streams:
            at = place_of(stream.samples, whole[stream.modality].samples)
            places.setdefault(recording.label, []).append(at / stream.rate_hz)
    assert all(abs(a - b) < 0.011 for a, b in places.values())
    return {label: round(emg_s, 3) for label, (emg_s, _) in places.items()}


def test_a_sign_is_recorded_from_its_marker_on_however_late_that_comes(tmp_path):
    """At once, later than all its samples, and before them."""
    said = [(0.5, "house", 0.5), (4.0, " tree ", 2.25), (4.1, "rain", 6.125)]
    run_it, _ = session(tmp_path, said)
    done = run_it.run()
    assert (done.why, done.progress.kept, done.progress.wanted) == (
        "the markers have ended",
        3,
        None,
    )
    assert kept(tmp_path) == {"house": 0.5, "tree": 2.25, "rain": 6.125}


def test_what_cannot_be_recorded_is_said(tmp_path):
    said = [
        (0.5, "a", 0.5), (0.8, "b", 0.8), (2.5, "", 2.5), (2.6, "x" * 101, 2.6), (9.0, "c", 1.0),
    ]  # fmt: skip
    run_it, screen = session(tmp_path, said)
    run_it.run()
    assert list(kept(tmp_path)) == ["b"]
    assert "'a' is not kept: 'b' came 0.3 s after it" in screen.told[0]
    assert "no name of a sign" in screen.told[1]
    assert "'xxxx" in screen.told[2]
    assert "s too late for its samples" in screen.told[3]
    assert not list(tmp_path.glob("*.part"))


def test_with_prompts_their_signs_alone_are_taken_and_the_session_ends(tmp_path):
    said = [(1.0, "b", 1.0), (3.0, "z", 3.0), (4.0, "b", 4.0), (6.0, "a", 6.0), (9.0, "a", 9.0)]
    run_it, screen = session(tmp_path, said, wanted=("a", "b"))
    done = run_it.run()
    assert (done.why, done.progress.words) == ("all recorded", "2 of 2")
    assert kept(tmp_path) == {"b": 1.0, "a": 6.0}
    assert [what for what in screen.told if "not asked for" in what] == [
        "the marker 'z' is not asked for, or no more",
        "the marker 'b' is not asked for, or no more",
    ]


def test_keys_undo_pause_and_end(tmp_path):
    """Keys count while it waits; the end of a session cuts what runs, and that is not kept."""
    said = [(t, label, t) for t, label in ((0.5, "house"), (20.0, "late"))]
    keys = [(("wait", None), UNDO), (("wait", None), PAUSE), (("pause", None), PAUSE)]
    run_it, screen = session(tmp_path, said, keys=[*keys, (("perform", "late"), QUIT)])
    done = run_it.run()
    assert screen.told == ["nothing to undo"]
    assert done.why == "ended by the user"
    assert kept(tmp_path) == {"house": 0.5}
    assert not list(tmp_path.glob("*.part"))


def test_a_source_that_ends_in_a_take_leaves_what_came(tmp_path):
    run_it, screen = session(tmp_path, [(1.5, "a", 1.5), (50.0, "b", 50.0)], seconds=2.0)
    done = run_it.run()
    assert done.error.code == "KD_SOURCE_LOST"
    (part,) = tmp_path.glob("*.part")
    assert any(str(part) in what for what in screen.told)


# --- LSL ---


def test_markers_and_samples_of_two_outlets_meet_by_their_clocks(request, tmp_path):
    """Oracle: the samples that the outlet gave the marker's stamp and those after it."""
    pylsl = pytest.importorskip("pylsl", reason="LSL is in the extra 'live'")
    rate_hz, name = 500.0, lsl_name(request.node.name)
    signals = pylsl.StreamOutlet(pylsl.StreamInfo(f"emg {name}", "EMG", 4, rate_hz, "float32", "e"))
    said = pylsl.StreamOutlet(pylsl.StreamInfo(f"said {name}", "Markers", 1, 0, "string", "m"))
    x = np.random.default_rng(4).normal(size=(3000, 4)).astype(np.float32)
    begin_s = pylsl.local_clock()

    def push(first: int, end: int) -> None:
        for at in range(first, end, 50):
            stamps = begin_s + np.arange(at, at + 50) / rate_hz
            signals.push_chunk(x[at : at + 50].tolist(), stamps.tolist())

    def give() -> None:
        assert signals.wait_for_consumers(BOUND_S)
        push(0, 500)

    thread = threading.Thread(target=give, daemon=True)
    thread.start()
    with (
        LslMarkers(f"said {name}", timeout_s=BOUND_S) as markers,
        open_source(f"lsl://emg {name}?timeout={BOUND_S:g}") as source,
    ):
        joined(thread, "the first samples")
        assert said.wait_for_consumers(BOUND_S)
        ticks = itertools.count()

        class Giving(Screen):
            """The markers come first, and the samples when the session waits for them."""

            def show(self, phase, *more):
                super().show(phase, *more)
                if next(ticks) == 0:
                    said.push_sample(["house"], begin_s + 1.5)
                    said.push_sample(["tree"], begin_s + 3.3)
                if phase == "perform" and not self.given:
                    self.given = True
                    push(500, 3000)

        screen = Giving()
        screen.given = False
        asked = Asked(tmp_path, "S1", "d", tuple(prompts("house", "tree")), Timing(perform_s=1))
        started_s = source.facts.streams[0].start_s
        done = MarkedSession(source, asked, screen, markers, clock=lambda: 0.0).run()
    assert (done.error, done.progress.kept, screen.told) == (None, 2, [])
    for recording, at_s in zip(read(tmp_path), (1.5, 3.3), strict=True):
        at = place_of(recording.streams[0].samples, x) / rate_hz
        assert at == pytest.approx(at_s, abs=2 * LSL_CLOCK_S)
    assert abs(started_s - begin_s) < LSL_CLOCK_S


def test_a_stream_of_signals_or_of_nobody_is_no_marker_stream(request):
    pylsl = pytest.importorskip("pylsl", reason="LSL is in the extra 'live'")
    name = lsl_name(request.node.name)
    info = pylsl.StreamInfo(name, "EMG", 1, 100, "float32", "s")
    outlet = pylsl.StreamOutlet(info)
    with pytest.raises(KdEdgeError, match="100 samples a second"):
        LslMarkers(name, timeout_s=BOUND_S)
    with pytest.raises(KdEdgeError) as caught:
        LslMarkers("nobody says this", timeout_s=0.2)
    assert caught.value.code == "KD_SOURCE_TIMEOUT"
    del outlet


def test_the_command_wants_prompts_or_markers(tmp_path, capsys):
    command = ["record", "--source", "file://x", "--subject", "S1", "--out", str(tmp_path)]
    assert run(command) == 2
    assert "--markers" in capsys.readouterr().err
