"""A small model as firmware projects, for the tests of projects and of flashing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tflite_samples import ACC_SHAPE, EMG_SHAPE, write_conv_model

from firmware_export.boards import find_board
from firmware_export.firmware import firmware_sources
from firmware_export.project import (
    Project,
    ProjectFacts,
    as_seen_by,
    project_files,
    project_kind,
    write_project,
)
from firmware_export.sensors import StreamSettings
from firmware_export.settings import FirmwareSettings, Golden
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.base.front_end import FrontEndConstants, InputLayout, raw_samples
from kd_edge.frontend import StreamFrontEnd, design_stream
from kd_edge.runtimes.registry import open_interpreter

N_GOLDEN = 3


def project(
    model: Path,
    board_name: str,
    *,
    kind: str | None = None,
    engine: str = "aot",
    sensors: str = "stub",
    link: str = "serial",
) -> Project:
    """The project of a two-input model for a board."""
    board = find_board(board_name)
    kind = project_kind(board, kind)
    board = as_seen_by(board, kind)
    settings = FirmwareSettings(
        name="two inputs",
        labels=(),
        arena_bytes=9000,
        arena_how="smallest arena that ran",
        front_end=sample_front_end(),
        golden=sample_golden(model),
        synthetic=True,
        generator="kd-edge 1.2.3",
        golden_count=N_GOLDEN,
    )
    firmware = firmware_sources(
        model,
        board,
        settings,
        engine=engine,
        stream=StreamSettings(hop_s=0.5),
        replay=sample_counts() if sensors == "replay" else (),
    )
    facts = ProjectFacts(
        title="two inputs",
        model_sha256=read_tflite(model).sha256,
        synthetic=True,
        generator="kd-edge 1.2.3",
        engine=engine,
        sensors=sensors,
        link=link,
    )
    return project_files(firmware, board, facts, kind=kind)


def write_sample(out: Path, model: Path, board_name: str, **more) -> Path:
    """The same, written; returns the folder."""
    write_project(out, project(model, board_name, **more))
    return out


def sample_model(folder: Path) -> Path:
    """Two inputs, convolutions and a dense layer."""
    return write_conv_model(folder / "conv.tflite", quantised=True)


def sample_front_end() -> FrontEndConstants:
    """Samples as they come."""
    plain = StreamFrontEnd()
    streams = (
        design_stream("emg", plain, channels=("a", "b", "c"), source_rate_hz=200.0, lsb=2e-4),
        design_stream("acc", plain, channels=("x", "y"), source_rate_hz=40.0, lsb=2.0**-14),
    )
    layouts = (InputLayout("emg", ("emg",), EMG_SHAPE), InputLayout("acc", ("acc",), ACC_SHAPE))
    return FrontEndConstants(streams, layouts)


def sample_golden(model: Path) -> Golden:
    """Random windows with TFLite Micro's answers."""
    session = open_interpreter("tflm", model)
    rng = np.random.default_rng(5)
    inputs = tuple(
        rng.integers(-128, 128, (N_GOLDEN, *spec.shape[1:])).astype(np.int8)
        for spec in session.inputs
    )
    outputs = [session.run([array[i : i + 1] for array in inputs])[0] for i in range(N_GOLDEN)]
    return Golden(inputs, np.concatenate(outputs), (0,) * N_GOLDEN)


def sample_counts() -> tuple[dict[str, np.ndarray], ...]:
    rng = np.random.default_rng(6)
    constants = sample_front_end()
    channels = {stream.name: len(stream.channels) for stream in constants.streams}
    return tuple(
        {
            name: rng.integers(-3000, 3000, (n, channels[name])).astype(np.int16)
            for name, n in raw_samples(constants).items()
        }
        for _ in range(2)
    )
