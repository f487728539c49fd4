"""Instructions of a bundle's plain C on 64-bit Arm beside tflite-runtime's, under qemu-user.

    python benchmarks/bench_aarch64.py build/demo
    python benchmarks/bench_aarch64.py build/demo --python "qemu-aarch64 -L ROOT ROOT/python"

A plugin counts every instruction. A run's are the difference between many runs and few, so that
what a program does once is not among them. `--python` is a Python of 64-bit Arm that has
tflite-runtime, as a command; without it plain C stands alone. Instructions are not cycles.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench_phones import program_files

from firmware_export.aot.cores import AARCH64
from kd_edge.pipeline.boards.bundle_image import BoardBundle, load_board_bundle

COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
# Many: a Python starts with two thousand million instructions, and not always with the same ones.
FEW, MANY = 20, 1020
# Without products of four bytes at once, and with them.
CPUS = {"cortex-a53": "armv8-a", "cortex-a76": "armv8.2-a+dotprod"}

# QEMU's plugin interface, version 1, as far as it is used.
_PLUGIN = """
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#define SEEN __attribute__((visibility("default")))
typedef struct qemu_plugin_tb block;
extern void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t, void (*)(uint64_t, block *));
extern size_t qemu_plugin_tb_n_insns(const block *);
extern void qemu_plugin_register_vcpu_tb_exec_inline(block *, int, void *, uint64_t);
extern void qemu_plugin_register_atexit_cb(uint64_t, void (*)(uint64_t, void *), void *);
SEEN int qemu_plugin_version = 1;
static uint64_t count;
static void translated(uint64_t id, block *taken)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(taken, 0, &count, qemu_plugin_tb_n_insns(taken));
}
static void ended(uint64_t id, void *data)
{
    (void)id;
    (void)data;
    fprintf(stderr, "\\n%" PRIu64 "\\n", count);
}
SEEN int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
    (void)info;
    (void)argc;
    (void)argv;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
"""

_MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include "kd_front_end_run.h"
#include "kd_run.h"

static int16_t raw[KD_RAW_VALUES];
static int8_t values[KD_INPUT_COUNT][1 << 20], output[KD_OUTPUT_SIZE];

/* Runs of the front end, and of the model. */
int main(int argc, char **argv)
{
    int8_t *inputs[KD_INPUT_COUNT];
    int run;
    for (run = 0; run < KD_INPUT_COUNT; run++) inputs[run] = values[run];
    if (argc < 3 || kd_init() != KD_RUN_OK) return 1;
    if (fread(raw, sizeof *raw, KD_RAW_VALUES, stdin) != KD_RAW_VALUES) return 1;
    for (run = 0; run < atoi(argv[1]); run++) kd_front_end_run(raw, inputs);
    for (run = 0; run < atoi(argv[2]); run++) {
        if (kd_run((const int8_t *const *)inputs, output) != KD_RUN_OK) return 2;
    }
    return 0;
}
"""

_PEER = """
import sys
import numpy as np
from tflite_runtime.interpreter import Interpreter
interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
rng = np.random.default_rng(0)
for each in interpreter.get_input_details():
    interpreter.set_tensor(each["index"], rng.integers(-128, 128, each["shape"]).astype(np.int8))
for _ in range(int(sys.argv[2])):
    interpreter.invoke()
"""


def counted(command: Sequence[str | Path], cpu: str, plugin: Path, **more) -> int:
    """Instructions of a command that begins with the emulator."""
    emulator, *rest = command
    told = [emulator, "-cpu", cpu, "-plugin", plugin, *rest]
    done = subprocess.run(told, capture_output=True, check=True, **more)
    return int(done.stderr.split()[-1])


def a_run(count: Callable[[int], int]) -> int:
    """Instructions of one run, of what a number of them takes."""
    return round((count(MANY) - count(FEW)) / (MANY - FEW))


def plain_c(bundle: BoardBundle, cpu: str, plugin: Path, folder: Path) -> tuple[int, int]:
    """Instructions of the front end and of the model."""
    folder.mkdir()
    sources = program_files(bundle, AARCH64.name, _MAIN, folder)
    options = ["-std=gnu99", "-O3", f"-march={CPUS[cpu]}", "-static", "-I."]
    subprocess.run([COMPILER, *options, *sources, "-o", "program"], cwd=folder, check=True)
    raw = b"".join(bundle.raw[0][s.name].tobytes() for s in bundle.front_end.streams)
    program = folder / "program"

    def count(front_end: int, model: int) -> int:
        command = [EMULATOR, program, str(front_end), str(model)]
        return counted(command, cpu, plugin, input=raw)

    return a_run(lambda n: count(n, 1)), a_run(lambda n: count(1, n))


def peer(python: Sequence[str], model: Path, cpu: str, plugin: Path) -> int:
    """Instructions of tflite-runtime's invocation."""
    plain = os.environ | {"PYTHONHASHSEED": "0"}
    return a_run(lambda n: counted([*python, "-c", _PEER, model, str(n)], cpu, plugin, env=plain))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--python", type=shlex.split, help="a Python of 64-bit Arm")
    asked = parser.parse_args()
    bundle = load_board_bundle(asked.bundle)
    (member,) = bundle.product.members
    print("| processor | front end | model | tflite-runtime's model | ratio |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        (source := Path(place) / "count.c").write_text(_PLUGIN, encoding="utf-8")
        plugin = Path(place) / "count.so"
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", source, "-o", plugin], check=True)
        for cpu in CPUS:
            front_end, model = plain_c(bundle, cpu, plugin, Path(place) / cpu)
            theirs = peer(asked.python, member.path, cpu, plugin) if asked.python else None
            beside = f"{theirs:,} | {model / theirs:.2f}" if theirs else "not asked | "
            print(f"| {cpu} | {front_end:,} | {model:,} | {beside} |", flush=True)


if __name__ == "__main__":
    main()
