"""The board's parser under libFuzzer, with the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from link_harness import STRICT
from programs import need

from firmware_export.aot.kernels import KERNELS
from firmware_export.link_header import LINK_SOURCES

FIRMWARE = LINK_SOURCES.parent / "firmware"
HERE = Path(__file__).resolve().parent / "fuzz"
# By hand for as long as one likes: then each run draws other inputs, and finds more. Without the
# variable the same inputs on every machine: the corpus reaches all but three of the places in the
# code that a minute finds, and these are reached within 2,100 runs.
SECONDS = os.environ.get("KD_EDGE_FUZZ_SECONDS")
HOW_LONG = [f"-max_total_time={SECONDS}"] if SECONDS else ["-runs=30000", "-seed=1"]


def build(program: Path, *sources: Path | str) -> Path:
    need("clang")
    built = subprocess.run(
        ["clang", *STRICT, "-g", "-O1",
         "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all",
         f"-I{LINK_SOURCES}", *sources, "-o", program],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "libclang_rt.fuzzer" in built.stderr:
        pytest.skip("clang has no libFuzzer here: its runtime package is not installed")
    assert built.returncode == 0, built.stderr
    return program


def fuzz(program: Path, folder: Path, corpus: Path) -> None:
    # A child begins with the peak memory of the process that starts it, and libFuzzer would take a
    # test process of 3 GB for its own leak: so one allocation is bounded, and not the peak.
    (folder / "found").mkdir()
    run = subprocess.run(
        [program, *HOW_LONG, "-max_len=4096", "-timeout=300", "-rss_limit_mb=0",
         "-malloc_limit_mb=256", "-print_final_stats=1", folder / "found", corpus],
        cwd=folder, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    crashes = [path.read_bytes() for path in folder.glob("*-*") if path.is_file()]
    assert run.returncode == 0, f"keep this input in {corpus}: {crashes}\n{run.stderr}"
    print(run.stderr.splitlines()[-5:])


def test_no_bytes_break_the_boards_end(tmp_path):
    """Oracle: the sanitizers, and what fuzz_link.c checks of all that the board sends."""
    program = build(
        tmp_path / "fuzz_link", "-DKD_LINK_MAX_PAYLOAD=128u", "-DKD_LINK_SCORES_BYTES=20u",
        "-DKD_LINK_NORMALISER=1",
        HERE / "fuzz_link.c", *sorted(LINK_SOURCES.glob("*.c")),
    )  # fmt: skip
    fuzz(program, tmp_path, HERE / "corpus_link")


def test_no_bytes_put_a_last_layer_in_place_whose_sums_overflow_or_half_of_one(tmp_path):
    """Oracle: the sanitizers over the kernel, and what fuzz_head.c checks after every request."""
    sources = [FIRMWARE / "kd_head.c", LINK_SOURCES / "kd_crc32.c"]
    sources += [KERNELS / "kd_fc_s8.c", KERNELS / "kd_dot_rows.c"]
    folders = [f"-I{folder}" for folder in (HERE / "head", FIRMWARE, KERNELS)]
    program = build(
        tmp_path / "fuzz_head", "-DKD_LINK_HEAD=1", *folders, HERE / "fuzz_head.c", *sources
    )
    fuzz(program, tmp_path, HERE / "corpus_head")
