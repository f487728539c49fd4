"""A front end whose filters run on from window to window: C gives Python's values bit for bit."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from firmware_samples import STRICT, run
from front_end_samples import DESIGNS, constants_of, noise
from programs import need
from test_firmware_front_end import DIFFERENCES, FITTED, FORMS, SANITIZED, exported

from firmware_export.front_end import LANES, model_front_end
from kd_edge.base.front_end import layout_samples, raw_samples
from kd_edge.examples.raw import Wearer, quantised, quantised_window
from kd_edge.examples.streaming import Streamed, last_step, step_end

HOST = r"""
#include <stdio.h>
#include "kd_front_end_stream.h"
#include "kd_settings.h"
/* commands of four numbers: 0 stream low high (resume), 1 stream n and n samples (take), 2 (a
 * window: its int8 inputs), 3 and a raw window (its int8 inputs) */
int main(void)
{
    static int16_t samples[KD_RAW_VALUES];
    static int8_t values[KD_INPUT_COUNT][KD_INPUT_LARGEST_SIZE];
    int8_t *inputs[KD_INPUT_COUNT];
    uint32_t command[4], i;
    for (i = 0; i < KD_INPUT_COUNT; i++) {
        inputs[i] = values[i];
    }
    while (fread(command, sizeof command, 1, stdin) == 1) {
        const uint32_t stream = command[1];
        if (command[0] == 0) {
            const uint64_t number = (uint64_t)command[3] << 32 | command[2];
            const uint64_t first = kd_front_end_resume(stream, number);
            fwrite(&first, sizeof first, 1, stdout);
            continue;
        }
        if (command[0] == 1) {
            const uint32_t n = command[2];
            if (fread(samples, 2u * kd_streams[stream].channel_count, n, stdin) != n) {
                return 1;
            }
            kd_front_end_take(stream, samples, n);
            continue;
        }
        if (command[0] == 2) {
            kd_front_end_window(inputs);
        } else {
            if (fread(samples, sizeof samples, 1, stdin) != 1) {
                return 1;
            }
            kd_front_end_run(samples, inputs);
        }
        for (i = 0; i < KD_INPUT_COUNT; i++) {
            fwrite(values[i], 1, kd_inputs[i].size, stdout);
        }
    }
    return 0;
}
"""


# And one whose features go through filters four at a time.
FOUR = f"{DIFFERENCES}, four at a time"


@pytest.fixture(scope="module", params=[*FORMS, FOUR])
def built(request, tmp_path_factory):
    """(front end, model inputs, program) of one design, of which filters run on."""
    need("gcc")
    folder = tmp_path_factory.mktemp("front_end")
    design, fixed = FORMS.get(request.param, (DIFFERENCES, False))
    constants = constants_of(*DESIGNS[design], FITTED.get(design, {}))
    constants = replace(constants, runs_on=True, fixed=fixed)
    specs = exported(constants, folder)
    out = folder / "out"
    (out / "host.c").write_text(HOST)
    shutil.copy(LANES[request.param == FOUR] / "kd_signal_lanes.h", out)
    sources = [p for p in out.glob("*.c") if p.name not in ("kd_model.c", "kd_golden.c")]
    run("gcc", "-std=c99", *STRICT, *SANITIZED, "-I", out, *sources, "-o", folder / "host")
    return model_front_end(constants, specs), specs, folder / "host"


class Script:
    """Commands for the program, and what Python makes of them."""

    def __init__(self, front_end, specs):
        self.front_end, self.specs = front_end, specs
        self.wearer = Wearer(front_end)
        self.streamed = Streamed(front_end, self.wearer)
        self.names = [stream.name for stream in front_end.streams]
        self.counts = {name: np.zeros((0, len(s.channels)), np.int16) for name, s in self.streams()}
        self.commands, self.expected = [], []

    def streams(self):
        return [(stream.name, stream) for stream in self.front_end.streams]

    def command(self, *numbers):
        self.commands.append(np.array([*numbers, *(4 - len(numbers)) * [0]], np.uint32).tobytes())

    def resume(self, name, number):
        stream = dict(self.streams())[name]
        self.command(0, self.names.index(name), number % 2**32, number >> 32)
        self.expected.append(np.uint64(-(-number * stream.up // stream.down)).tobytes())
        # Behind what was lost the next samples stand where the test looks for them.
        missing = number - len(self.counts[name])
        shape = (max(missing, 0), len(stream.channels))
        self.counts[name] = np.concatenate([self.counts[name], np.zeros(shape, np.int16)])

    def take(self, name, counts):
        self.command(1, self.names.index(name), len(counts))
        self.commands.append(counts.tobytes())
        self.streamed.take(name, len(self.counts[name]), counts)
        self.counts[name] = np.concatenate([self.counts[name], counts])

    def window(self):
        ends = [len(self.counts[name]) for name in self.names]
        lengths = raw_samples(self.front_end)
        raw = {name: self.counts[name][-lengths[name] :] for name in self.names}
        self.command(2)
        self.put(quantised(self.streamed.window(ends, raw), self.front_end, self.specs))

    def alone(self, raw):
        self.command(3)
        self.commands.append(b"".join(raw[name].tobytes() for name in self.names))
        self.put(quantised_window(raw, self.front_end, self.specs, self.wearer))

    def put(self, arrays):
        self.expected += [array.tobytes() for array in arrays]


def follow(script, rng, firsts, *, hole=None):
    """Windows from these steps on, of samples that come in pieces of any size.

    hole: (window, stream, samples): lost before that window.
    """
    steps = {n: layout_samples(i) for i in script.front_end.inputs for n in i.streams}
    for number, first in enumerate(firsts):
        for name, stream in script.streams():
            if hole and (number, name) == hole[:2]:
                lost = len(script.counts[name]) + hole[2]
                script.resume(name, lost)
            end = step_end(stream, first + steps[name] - 1)
            while (left := end - len(script.counts[name])) > 0:
                n = min(left, int(rng.integers(1, 150)))
                counts = noise(rng, n, len(stream.channels))
                if rng.integers(4) == 0:  # a flat stretch, and now and then one that clips
                    counts[:] = rng.choice([0, 7, 32767])
                script.take(name, counts)
        script.window()


def test_a_stream_in_c_gives_pythons_values(built):
    """Windows that overlap, that leave samples out, and behind lost ones. Oracle: Python's float32;
    zero differences, no undefined behaviour."""
    front_end, specs, program = built
    rng = np.random.default_rng(5)
    script = Script(front_end, specs)
    n = min(layout_samples(layout) for layout in front_end.inputs)
    for name in script.names:
        script.resume(name, 0)
    # The hole is where no later window reaches back.
    lost = script.names[-1]
    stream = dict(script.streams())[lost]
    quarter = max(n // 4, 1)
    firsts = [0, quarter, 2 * quarter, 2 * quarter + 1, 5 * n]
    hole = (4, lost, 3 * stream.down)
    follow(script, rng, firsts, hole=hole)
    found = run(program, stdin=b"".join(script.commands))
    expected = b"".join(script.expected)
    np.testing.assert_array_equal(np.frombuffer(found, np.int8), np.frombuffer(expected, np.int8))


def test_a_window_alone_is_a_recording_of_its_own(built):
    """Oracle: the window filtered from rest, as front ends do that start anew with each."""
    front_end, specs, program = built
    rng = np.random.default_rng(6)
    script = Script(front_end, specs)
    raw = {
        name: noise(rng, raw_samples(front_end)[name], len(stream.channels))
        for name, stream in script.streams()
    }
    script.alone(raw)
    script.alone({name: counts[::-1].copy() for name, counts in raw.items()})
    found = run(program, stdin=b"".join(script.commands))
    assert found == b"".join(script.expected)


def test_the_first_window_of_a_stream_is_the_one_from_rest(built):
    """Oracle: `quantised_window`, and a step's number by its definition."""
    front_end, specs, _ = built
    rng = np.random.default_rng(7)
    streamed = Streamed(front_end, Wearer(front_end))
    raw = {
        stream.name: noise(rng, raw_samples(front_end)[stream.name], len(stream.channels))
        for stream in front_end.streams
    }
    for name, counts in raw.items():
        streamed.take(name, 0, counts)
    ends = [len(counts) for counts in raw.values()]
    found = quantised(streamed.window(ends, raw), front_end, specs)
    for left, right in zip(found, quantised_window(raw, front_end, specs), strict=True):
        np.testing.assert_array_equal(left, right)
    for stream in front_end.streams:
        steps = range(3 * stream.up + 1)
        assert [last_step(stream, step_end(stream, step)) for step in steps] == list(steps)


SIZES = """
#include <stdio.h>
#include "kd_settings.h"
#include "kd_front_end_stream.h"
int main(void)
{
    printf("%u", (unsigned)KD_MEMORY_VALUES);
    return 0;
}
"""


@pytest.mark.parametrize(
    ("design", "groups", "features"),
    [("ISL: envelope at 200 Hz", 2, 8), ("seed, several inputs: band-pass, envelope", 1, 3)],
)
def test_features_that_go_together_have_one_memory(tmp_path, design, groups, features):
    """Only the sEMG has filters: of eight channels in two groups of four, and of three in one."""
    need("gcc")
    constants = replace(constants_of(*DESIGNS[design], {}), runs_on=True)
    exported(constants, tmp_path)
    out, sizes = tmp_path / "out", []
    (out / "sizes.c").write_text(SIZES)
    for four in (False, True):
        shutil.copy(LANES[four] / "kd_signal_lanes.h", out)
        run("gcc", "-std=c99", "-I", out, out / "sizes.c", "-o", tmp_path / "sizes")
        sizes.append(int(run(tmp_path / "sizes")))
    one_alone, four_together = sizes
    assert one_alone * groups == four_together * features > 0
