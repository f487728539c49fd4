"""The board's parser under libFuzzer, with the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from link_harness import STRICT
from programs import need

from firmware_export.link_header import LINK_SOURCES

HERE = Path(__file__).resolve().parent / "fuzz"
# By hand for as long as one likes: then each run draws other inputs, and finds more. Without the
# variable the same inputs on every machine: the corpus reaches all but three of the places in the
# code that a minute finds, and these are reached within 2,100 runs.
SECONDS = os.environ.get("KD_EDGE_FUZZ_SECONDS")
HOW_LONG = [f"-max_total_time={SECONDS}"] if SECONDS else ["-runs=30000", "-seed=1"]


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory):
    need("clang")
    program = tmp_path_factory.mktemp("fuzz") / "fuzz_link"
    built = subprocess.run(
        ["clang", *STRICT, "-g", "-O1",
         "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all",
         "-DKD_LINK_MAX_PAYLOAD=128u", "-DKD_LINK_SCORES_BYTES=20u", f"-I{LINK_SOURCES}",
         HERE / "fuzz_link.c", *sorted(LINK_SOURCES.glob("*.c")), "-o", program],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "libclang_rt.fuzzer" in built.stderr:
        pytest.skip("clang has no libFuzzer here: its runtime package is not installed")
    assert built.returncode == 0, built.stderr
    return program


def test_no_bytes_break_the_boards_end(fuzzer, tmp_path):
    """Oracle: the sanitizers, and what fuzz_link.c checks of all that the board sends."""
    (tmp_path / "found").mkdir()
    run = subprocess.run(
        [fuzzer, *HOW_LONG, "-max_len=4096", "-timeout=20",
         "-print_final_stats=1", tmp_path / "found", HERE / "corpus_link"],
        cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    crashes = [path.read_bytes() for path in tmp_path.glob("*-*") if path.is_file()]
    assert run.returncode == 0, (
        f"keep this input in tests/fuzz/corpus_link: {crashes}\n{run.stderr}"
    )
    print(run.stderr.splitlines()[-5:])
