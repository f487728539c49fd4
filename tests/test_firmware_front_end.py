"""The front end in C gives Python's int8 values bit for bit, and training's within one step."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from firmware_samples import STRICT, T, run, settings_for, write_model
from front_end_samples import DESIGNS, constants_of, noise
from programs import need

from firmware_export.aot.cores import CORES
from firmware_export.boards import find_board
from firmware_export.boards.emulator import run_image
from firmware_export.boards.toolchain import build_image
from firmware_export.front_end import LANES, model_front_end
from firmware_export.render import renderer
from firmware_export.sensors import StreamSettings, replay_values
from firmware_export.tflm import export_tflm
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.base.front_end import raw_samples
from kd_edge.base.quantisation import quantize
from kd_edge.base.raw_window import pack_raw, raw_bytes, unpack_raw
from kd_edge.base.roll import RollConstants
from kd_edge.base.running import RunningConstants
from kd_edge.base.tensors import TensorSpec
from kd_edge.examples.raw import Wearer, cut_counts, from_counts, quantised_window
from kd_edge.frontend import apply_stream

SANITIZED = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
DIFFERENCES = [*DESIGNS][-1]
RUNNING = RunningConstants(weight_windows=4, memory_windows=5, floor=0.125)

# Design -> stream -> what is not a step of `design_stream`: fitted on the training part.
FITTED = {
    "logarithm of an envelope, running; a stream twice; one as it is": {
        "emg": {"log_floor": (30.0, 1.0, 0.02, 300.0), "running": RUNNING},
        "acc": {"running": replace(RUNNING, weight_windows=1, memory_windows=1)},
    },
    DIFFERENCES: {
        "emg": {"log_floor": tuple(0.01 * 3.0**i for i in range(9)), "running": RUNNING},
        "ring": {"running": RUNNING},
    },
}

# Design -> how it takes back the roll of a band.
ROLLS = {
    "ISL: envelope at 200 Hz": RollConstants(
        "acc", (("acc", 1, 2), ("gyr", 1, 2)), (("emg", 1),), memory_windows=200
    ),
    "logarithm of an envelope, running; a stream twice; one as it is": RollConstants(
        "acc", (("acc", 0, 2), ("gyr", 2, 1)), (("emg", -1),), memory_windows=3
    ),
    DIFFERENCES: RollConstants("acc", (("acc", 1, 2),), (("ring", 1),), memory_windows=3),
}

# Each in float32; three in integers, between them every step.
IN_INTEGERS = [name for name in DESIGNS if name.startswith(("demo", "logarithm", "1 of 64"))]
FORMS = {name: (name, False) for name in DESIGNS}
FORMS |= {f"{name}, integers": (name, True) for name in IN_INTEGERS}

HOST = r"""
#include <stdio.h>
#include "kd_front_end_run.h"
#include "kd_settings.h"
/* raw windows -> their int8 inputs */
int main(void)
{
    static int16_t raw[KD_RAW_VALUES];
    static int8_t values[KD_INPUT_COUNT][KD_INPUT_LARGEST_SIZE];
    int8_t *inputs[KD_INPUT_COUNT];
    uint32_t i;
    for (i = 0; i < KD_INPUT_COUNT; i++) {
        inputs[i] = values[i];
    }
    while (fread(raw, sizeof raw, 1, stdin) == 1) {
        kd_front_end_run(raw, inputs);
        for (i = 0; i < KD_INPUT_COUNT; i++) {
            fwrite(values[i], 1, kd_inputs[i].size, stdout);
        }
    }
    return 0;
}
"""


def windows_of(constants, rng) -> list[dict[str, np.ndarray]]:
    """Counts of windows: noise, bursts on an offset, ends of the range, a step, silence."""
    shapes = {s.name: (n, len(s.channels)) for s in constants.streams
              for n in [raw_samples(constants)[s.name]]}  # fmt: skip

    def burst(shape):
        envelope = np.exp(-(((np.arange(shape[0]) / shape[0] - 0.5) * 6) ** 2))[:, None]
        return np.clip(8000 + envelope * rng.normal(0, 8000, shape), -32768, 32767)

    kinds = (
        lambda shape: noise(rng, *shape),
        lambda shape: rng.integers(-32768, 32768, shape),
        burst,
        lambda shape: np.full(shape, 32767),
        lambda shape: np.full(shape, -32768),
        lambda shape: (
            np.where(np.arange(shape[0])[:, None] * 2 < shape[0], -20000, 20000) + np.zeros(shape)
        ),
        np.zeros,
    )
    return [{name: kind(s).astype(np.int16) for name, s in shapes.items()} for kind in kinds]


def exported(constants, folder):
    """The model inputs behind a front end, whose sources then lie in `folder / "out"`."""
    n = len(constants.inputs)
    tensors = [
        T(layout.name, (1, *layout.shape), scale=0.021 + 0.01 * i, zero_point=-5 + 9 * i)
        for i, layout in enumerate(constants.inputs)
    ]
    path = write_model(
        folder / "m.tflite", (*tensors, T("y", (1, 4))), (("RELU", (0,), (n,)),), range(n), (n,)
    )
    export_tflm(path, folder / "out", settings_for(path, front_end=constants, golden=None))
    model = read_tflite(path)
    return tuple(
        TensorSpec(t.name, t.shape, t.dtype, t.scales[0], t.zero_points[0])
        for t in (model.tensors[i] for i in model.inputs)
    )


@pytest.fixture(scope="module", params=FORMS)
def built(request, tmp_path_factory):
    """(front end, model inputs, folder with sources) of one design."""
    folder = tmp_path_factory.mktemp("front_end")
    design, fixed = FORMS[request.param]
    constants = constants_of(*DESIGNS[design], FITTED.get(design, {}))
    constants = replace(constants, roll=None if fixed else ROLLS.get(design), fixed=fixed)
    specs = exported(constants, folder)
    (folder / "out" / "host.c").write_text(HOST)
    return constants, specs, folder / "out"


SOURCES = (
    "host.c", "kd_signal_arithmetic.c", "kd_front_end.c", "kd_front_end_run.c", "kd_signal.c",
    "kd_signal_window.c", "kd_quantize.c", "kd_settings.c",
)  # fmt: skip
# Of a logarithm, of a running normaliser and of a roll.
OPTIONAL = ("kd_log.c", "kd_running.c", "kd_roll.c", "kd_running_values.c", "kd_wearer.c")


def sources_in(folder) -> list[str]:
    """The front end's, without the test's own."""
    return [*SOURCES[1:], *(name for name in OPTIONAL if (folder / name).exists())]


HEADERS = (
    "kd_front_end.h", "kd_front_end_run.h", "kd_roll.h", "kd_running.h", "kd_signal.h",
    "kd_signal_arithmetic.h", "kd_signal_lanes.h", "kd_signal_window.h", "kd_quantize.h",
    "kd_settings.h", "kd_value.h",
)  # fmt: skip


@pytest.mark.parametrize(
    ("compiler", "vectors"),
    [("gcc", False), ("clang", False), ("clang", True)],
    ids=["gcc", "clang", "clang, four at a time"],
)
def test_c_and_python_give_the_same_values(built, tmp_path, compiler, vectors):
    """Oracle: Python's float32, or its integers; zero differences, no undefined behaviour."""
    need(compiler)
    constants, specs, folder = built
    if vectors and constants.fixed:
        pytest.skip("integers go one at a time")
    shutil.copytree(folder, tmp_path / "sources")
    folder = tmp_path / "sources"
    shutil.copy(LANES[vectors] / "kd_signal_lanes.h", folder)
    run(
        compiler, "-std=c99", *STRICT, *SANITIZED, "-I", folder,
        *(folder / name for name in ("host.c", *sources_in(folder))), "-o", tmp_path / "host",
    )  # fmt: skip
    front_end = model_front_end(constants, specs)
    windows = 2 * windows_of(front_end, np.random.default_rng(4))
    out = run(tmp_path / "host", stdin=b"".join(pack_raw(w, front_end) for w in windows))
    wearer = Wearer(front_end)
    expected = [a for w in windows for a in quantised_window(w, front_end, specs, wearer)]
    np.testing.assert_array_equal(
        np.frombuffer(out, np.int8), np.concatenate([array.ravel() for array in expected])
    )


def test_a_boards_arithmetic_is_within_one_step_of_trainings(built):
    """Oracle: apply_stream in float64, the normaliser and quantize, on the same counts."""
    constants, specs, _ = built
    front_end = model_front_end(constants, specs)
    streams = {stream.name: stream for stream in front_end.streams}
    differing = total = 0
    for counts in windows_of(front_end, np.random.default_rng(4)):
        found = quantised_window(counts, front_end, specs)
        for layout, spec, values in zip(front_end.inputs, specs, found, strict=True):
            samples = {m: from_counts(counts[m], streams[m].lsb) for m in streams}
            samples, usable = without_roll(samples, counts, front_end.roll)
            expected = trained_window(samples, layout, streams, usable)
            steps = np.abs(quantize(expected, spec.scale, spec.zero_point).astype(int) - values)
            assert steps.max() <= 1
            differing, total = differing + int((steps > 0).sum()), total + steps.size
    # A value over a step's edge now and then; of silence, all of them at once.
    assert differing < (3e-3 if constants.fixed else 1e-3) * total


def without_roll(samples, counts, roll):
    """A first window's samples turned back in float64, by the angle of gravity's mean, and which
    channels tell of the wearer."""
    usable = {
        name: (x.min(0) > -32768) & (x.max(0) < 32767) & (np.ptp(x.astype(int), axis=0) > 0)
        for name, x in counts.items()
    }
    if roll is None:
        return samples, usable
    across = list(roll.axes_of(roll.gravity))
    mean = counts[roll.gravity][:, across].mean(axis=0)
    angle = np.arctan2(mean[1], mean[0]) if usable[roll.gravity][across].all() else 0.0
    samples = {name: x.astype(float) for name, x in samples.items()}
    for name, a, b in roll.vectors:
        turned = (samples[name][:, a] + 1j * samples[name][:, b]) * np.exp(-1j * angle)
        samples[name][:, a], samples[name][:, b] = turned.real, turned.imag
        usable[name][[a, b]] = usable[name][[a, b]].all()
    for name, sense in roll.rings:
        places = round(angle / (2 * np.pi) * samples[name].shape[1])
        samples[name] = np.roll(samples[name], -sense * places, axis=1)
        usable[name] = np.roll(usable[name], -sense * places)
    return samples, usable


def trained_window(samples, layout, streams, usable) -> np.ndarray:
    """What training has of a recording's start: filtered whole, then cut and normalised."""
    joined = []
    for stream in (streams[m] for m in layout.streams):
        x = apply_stream(samples[stream.name], stream)[: layout.shape[0]]
        if stream.log_floor:
            x = np.log(np.maximum(x, 0) + stream.log_floor)
        z = (x - np.float32(stream.mean)) * np.float32(stream.scale)
        running = stream.running
        own = np.tile(usable[stream.name], stream.differences + 1)
        joined.append(z if running is None else for_a_first_window(z, own, running))
    return np.concatenate(joined, axis=1)


def for_a_first_window(z, usable, running) -> np.ndarray:
    """The running normaliser's formulas in float64, for one who has just put the sensors on."""
    total = running.weight_windows + 1.0
    mean = np.where(usable, z.mean(axis=0) / total, 0.0)
    square = np.where(usable, 1 + ((z * z).mean(axis=0) - 1) / total, 1.0)
    deviation = np.sqrt(np.maximum(square - mean**2, running.floor**2))
    return ((z - mean) / deviation).astype(np.float32)


ON_BOARD = r"""
#include "kd_board.h"
#include "kd_front_end_run.h"
#include "kd_replay.h"
#include "kd_settings.h"
/* the one raw window of kd_replay -> its int8 inputs, as two hexadecimal digits each */
int main(void)
{
    static int16_t raw[KD_RAW_VALUES];
    static int8_t values[KD_INPUT_COUNT][KD_INPUT_LARGEST_SIZE];
    int8_t *inputs[KD_INPUT_COUNT];
    uint32_t at = 0;
    for (uint32_t s = 0; s < KD_STREAM_COUNT; s++) {
        for (uint32_t i = 0; i < kd_replay[s].samples * kd_replay[s].channels; i++) {
            raw[at++] = kd_replay[s].values[i];
        }
    }
    for (uint32_t i = 0; i < KD_INPUT_COUNT; i++) {
        inputs[i] = values[i];
    }
    kd_front_end_run(raw, inputs);
    for (uint32_t i = 0; i < KD_INPUT_COUNT; i++) {
        for (uint32_t k = 0; k < kd_inputs[i].size; k++) {
            const unsigned v = (unsigned char)values[i][k];
            const char pair[2] = {"0123456789abcdef"[v >> 4], "0123456789abcdef"[v & 15u]};
            kd_board_write(pair, 2);
        }
    }
    return 0;
}
"""


@pytest.mark.gcc_arm
@pytest.mark.parametrize("name", ["qemu-an385", "qemu-an386", "qemu-an547"])
def test_a_board_and_python_give_the_same_values(built, tmp_path, name):
    """Without FPU, with one, with Helium. Oracle: as on the host."""
    need("arm-none-eabi-gcc", "qemu-system-arm")
    constants, specs, folder = built
    front_end = model_front_end(constants, specs)
    counts = windows_of(front_end, np.random.default_rng(8))[2]
    path = folder.parent / "m.tflite"
    render = renderer(settings_for(path, golden=None, front_end=constants), read_tflite(path))
    replay = replay_values(front_end, [counts], StreamSettings(hop_s=1.0))
    optional = (name for name in ("kd_log.h", "kd_wearer.h") if (folder / name).exists())
    headers = [*HEADERS, *optional]
    sources = {name: (folder / name).read_text() for name in (*sources_in(folder), *headers)}
    sources |= {n: render(n, replay=replay) for n in ("kd_replay.h", "kd_replay.c")}
    board = find_board(name)
    image = build_image(board, {**sources, "main.c": ON_BOARD}, out=tmp_path)
    found = np.frombuffer(bytes.fromhex(run_image(board, image.elf).output), np.int8)
    expected = np.concatenate([a.ravel() for a in quantised_window(counts, front_end, specs)])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.gcc_arm
@pytest.mark.parametrize("built", [*DESIGNS][3:4] + [*FORMS][-3:], indirect=True)
@pytest.mark.parametrize("core", ["m0plus", "m3", "m4", "m55"])
def test_the_code_compiles_for_every_core_without_libm(built, tmp_path, core):
    need("arm-none-eabi-gcc", "arm-none-eabi-nm")
    constants, _, folder = built
    for source in sources_in(folder):
        run(
            "arm-none-eabi-gcc", "-std=c99", "-Os", "-ffreestanding", *CORES[core].flags, *STRICT,
            "-Wdouble-promotion", "-c", folder / source, "-o", tmp_path / f"{source}.o",
        )  # fmt: skip
    own = {"kd_signal_begin", "kd_signal_advance", "kd_signal_normalise", "kd_signal_narrow"}
    of_float = ("__aeabi_f", "__aeabi_i2f", "__aeabi_uidiv")  # the compiler's own, without FPU
    # The logarithm's, and of an M0+ that has neither division nor products of 64 bits.
    of_integers = {"kd_log"} if constants.fixed else set()
    if constants.fixed and core == "m0plus":
        of_integers |= {"__aeabi_lmul", "__aeabi_uidiv", "__aeabi_uidivmod"}
    needed = {
        "kd_signal_arithmetic.c": set() if constants.fixed else {"kd_quantize_input"},
        "kd_signal.c": {
            "kd_filter",
            "kd_gained",
            "kd_rectify",
            "kd_resampled",
            "kd_resampled_twice",
        },
        "kd_signal_window.c": own,
    }
    for source, calls in needed.items():
        undefined = run("arm-none-eabi-nm", "-u", tmp_path / f"{source}.o").decode().split()
        allowed = calls | {"U", "memcpy", "memset"} | of_integers
        if constants.learns:
            allowed |= {"kd_running_move", "kd_running_normalise"}
        if core in ("m0plus", "m3") and not constants.fixed:
            allowed |= {name for name in undefined if name.startswith(of_float)}
        assert calls <= set(undefined) <= allowed, source


def test_a_raw_window_reads_back(built):
    constants, specs, _ = built
    front_end = model_front_end(constants, specs)
    windows = list(windows_of(front_end, np.random.default_rng(1)))
    assert windows
    for counts in windows:
        content = pack_raw(counts, front_end)
        assert len(content) == raw_bytes(front_end)
        found = unpack_raw(content, front_end)
        assert found.keys() == counts.keys()
        for name, values in found.items():
            np.testing.assert_array_equal(values, counts[name])


def test_a_window_at_a_recordings_start_is_the_one_that_training_cuts(built):
    """Oracle: the whole recording filtered and then cut, as cut_windows does with start_s 0."""
    constants, specs, _ = built
    front_end = model_front_end(constants, specs)
    rng = np.random.default_rng(9)
    samples = {
        s.name: from_counts(noise(rng, 2 * raw_samples(front_end)[s.name], len(s.channels)), s.lsb)
        for s in front_end.streams
    }
    counts = cut_counts(samples, front_end, 0.0)
    found = quantised_window(counts, front_end, specs)
    samples, usable = without_roll(samples, counts, front_end.roll)
    streams = {stream.name: stream for stream in front_end.streams}
    for layout, spec, values in zip(front_end.inputs, specs, found, strict=True):
        expected = trained_window(samples, layout, streams, usable) / np.float32(spec.scale)
        expected += spec.zero_point
        inside = np.abs(expected) < 126
        assert np.abs(values - expected)[inside].max() < 0.51
