"""A window of a bundle from counts to scores on this machine: plain C beside LiteRT with XNNPACK.

    python benchmarks/bench_phones.py build/demo

Both on one thread, the least of many runs, in turns. The front end is the bundle's own C before
either of them, so that "window" differs by the model alone. With `-march=native` the compiler may
use what this processor has; without it, what every one of its kind has.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from firmware_export.aot.cores import HOST, core_here
from firmware_export.aot.engine import engine_files
from firmware_export.aot.export import compiled_sources
from firmware_export.library import need_compiler
from firmware_export.settings import FirmwareSettings
from kd_edge.base.product import Product
from kd_edge.pipeline.boards.bundle_image import BoardBundle, load_board_bundle
from kd_edge.runtimes.composed import open_product
from kd_edge.runtimes.registry import ON_PHONES

ROUNDS, RUNS = 5, 400
_MAIN = """
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "kd_front_end_run.h"
#include "kd_run.h"

static int16_t raw[KD_RAW_VALUES];
static int8_t values[KD_INPUT_COUNT][1 << 20], output[KD_OUTPUT_SIZE];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

int main(void)
{
    int8_t *inputs[KD_INPUT_COUNT];
    double front_end = 1e12, model = 1e12;
    for (int i = 0; i < KD_INPUT_COUNT; i++) inputs[i] = values[i];
    if (fread(raw, sizeof *raw, KD_RAW_VALUES, stdin) != KD_RAW_VALUES) return 1;
    if (kd_init() != KD_RUN_OK) return 1;
    for (int run = 0; run < RUNS; run++) {
        const double begin = now();
        kd_front_end_run(raw, inputs);
        const double middle = now();
        if (kd_run((const int8_t *const *)inputs, output) != KD_RUN_OK) return 2;
        const double end = now();
        if (middle - begin < front_end) front_end = middle - begin;
        if (end - middle < model) model = end - middle;
    }
    printf("%.3f %.3f\\n", front_end, model);
    return 0;
}
"""


def program_files(bundle: BoardBundle, core: str, main: str, folder: Path) -> list[str]:
    """Write front end, model and a program around them; returns what is to be compiled."""
    settings = FirmwareSettings(
        "benchmark", (), None, "", bundle.front_end, None, False, "kd-edge benchmark"
    )
    compiled, beside = engine_files(bundle.product, core, settings)
    files = {**compiled_sources(compiled), **beside, "main.c": main}
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [name for name in files if name.endswith(".c")]


def build(bundle: BoardBundle, core: str, flags: tuple[str, ...], folder: Path) -> Path:
    """A program that times front end and model of one window of counts."""
    folder.mkdir()
    sources = program_files(bundle, core, _MAIN, folder)
    command = [*need_compiler(), "-std=gnu99", *flags, f"-DRUNS={RUNS}", "-I.", *sources]
    subprocess.run([*command, "-o", "program"], cwd=folder, check=True)
    return folder / "program"


def litert_us(product: Product, inputs: list[np.ndarray]) -> float:
    """The least time of LiteRT's invocation alone, in µs."""
    interpreter = open_product(product, ON_PHONES)
    least = float("inf")
    for _ in range(RUNS):
        interpreter.load(inputs)
        begin = time.perf_counter()
        interpreter.invoke()
        least = min(least, time.perf_counter() - begin)
    return least * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    bundle = load_board_bundle(parser.parse_args().bundle)
    counts = bundle.raw[0]
    raw = b"".join(counts[s.name].tobytes() for s in bundle.front_end.streams)
    inputs = [array[:1] for array in bundle.golden.inputs]
    here = core_here().name
    forms = {
        "portable, -O2": (HOST.name, ("-O2",)),
        f"{here}, -O3": (here, ("-O3",)),
        f"{here}, -O3 -march=native": (here, ("-O3", "-march=native")),
    }
    with tempfile.TemporaryDirectory() as place:
        programs = {
            name: build(bundle, core, flags, Path(place) / str(n))
            for n, (name, (core, flags)) in enumerate(forms.items())
        }
        least = dict.fromkeys(forms, (float("inf"), float("inf")))
        peer = float("inf")
        for _ in range(ROUNDS):
            peer = min(peer, litert_us(bundle.product, inputs))
            for name, program in programs.items():
                done = subprocess.run([program], input=raw, capture_output=True, check=True)
                found = (float(each) for each in done.stdout.split())
                least[name] = tuple(map(min, least[name], found))
    print(f"LiteRT, the model alone: {peer:.1f} µs")
    print("| plain C | front end, µs | model, µs | beside LiteRT's | window | beside LiteRT's |")
    print("|---|---|---|---|---|---|")
    for name, (front_end, model) in least.items():
        window, theirs = front_end + model, front_end + peer
        print(
            f"| {name} | {front_end:.0f} | {model:.1f} | {model / peer:.2f} | {window:.0f} "
            f"| {window / theirs:.2f} |"
        )


if __name__ == "__main__":
    main()
