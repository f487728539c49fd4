"""kd-edge's base on 64-bit Arm, really installed and run under qemu-user.

Oracle: TFLite Micro's interpreter on this machine, whose answers plain C gives there bit for bit.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from arm_linux import install

from kd_edge.cli import run
from kd_edge.pipeline.dataset import read_recordings
from kd_edge.recipe import load_recipe
from kd_edge.signals.npz_writer import write_npz
from kd_edge.signals.recording import Recording

pytest.importorskip("tensorflow")


@pytest.mark.slow
@pytest.mark.timeout(5400)  # an emulator, behind other work
def test_the_base_installs_there_and_live_answers_as_here(bundle, tmp_path, capsys):
    recording = tmp_path / "a recording.npz"
    told = read_recordings(load_recipe(bundle / "recipe.toml"), None, progress=lambda *_: None)
    write_npz(joined(told[3], told[4]), recording)
    command = ["live", str(bundle), "--source", f"file://{recording}?speed=0", "--json"]
    assert run(command) == 0
    here = windows_of(capsys.readouterr().out)

    arm = install(tmp_path / "arm")
    helped = arm.run("--help")
    assert (helped.returncode, "personalise" in helped.stdout) == (0, True), helped.stderr
    found = arm.run("doctor", "--json")
    checks = {check["name"]: check["found"] for check in json.loads(found.stdout)}
    assert (found.returncode, checks["tflite-micro"]) == (0, None)
    assert None not in (checks["Python"], checks["plain C"], checks["pyserial"])
    seen = arm.run("data", "inspect", recording)
    assert (seen.returncode, "emg" in seen.stdout) == (0, True), seen.stderr
    there = arm.run(*command)
    assert there.returncode == 0, there.stderr
    assert len(here) > 1
    np.testing.assert_array_equal(windows_of(there.stdout), here)


def joined(one: Recording, two: Recording) -> Recording:
    """One after the other: several windows."""
    pairs = zip(one.streams, two.streams, strict=True)
    streams = [replace(a, samples=np.concatenate([a.samples, b.samples])) for a, b in pairs]
    return replace(one, streams=tuple(streams))


def windows_of(text: str) -> np.ndarray:
    """(windows, classes): the scores."""
    lines = [json.loads(line) for line in text.splitlines()]
    return np.array([line["scores"] for line in lines if line["event"] == "window"])
