"""A bundle's product on a connected phone: golden vectors and latency."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_export.phone.app import golden_bytes
from firmware_export.phone.program import PROGRAMS, build_program
from firmware_export.phone.sources import phone_sources
from firmware_export.settings import Golden
from kd_edge.base.errors import KdEdgeError
from kd_edge.phone.adb import Phone, find_phone
from kd_edge.pipeline.boards.bundle_image import BoardBundle, load_board_bundle
from kd_edge.pipeline.boards.compare import spread
from kd_edge.pipeline.boards.phone import phone_settings
from kd_edge.report.board_tree import Spread

RUNS = 500
_PROGRAM = "kd_phone_bench"
_GOLDEN = "golden.bin"
# LiteRT's own program for this: who wants it asked pushes it to the phone.
LITERT_PROGRAM = "benchmark_model"
_MODEL = "model.tflite"


@dataclass(frozen=True)
class OnPhone:
    """What a phone answered.

    Attributes:
        abi: the program's. core: its kernels'.
        program_bytes: of the program, with weights and what it needs of a C library.
        n_golden: vectors. wrong: numbers of those that got other scores, from 0.
        latency: of one int8 window to its scores, µs by the phone's monotonic clock; one thread,
            no front end.
        litert_us: mean of an int8 window by LiteRT's `benchmark_model`, one thread, XNNPACK; None
            if that was not asked or says no time.
        litert_note: why there is none; "" if there is.
    """

    phone: Phone
    model_sha256: str
    abi: str
    core: str
    program_bytes: int
    n_golden: int
    wrong: tuple[int, ...]
    latency: Spread
    litert_us: float | None
    litert_note: str


def bench_phone(folder: Path, serial: str | None, *, runs: int = RUNS) -> OnPhone:
    """Answer a bundle's golden vectors on a phone, and time its windows.

    Args:
        serial: of the phone; None: the one that is connected.
        runs: timed windows.

    Raises:
        KdEdgeError KD_BOARD_MODEL: no program can be made for the phone's processor.
        KdEdgeError: as `find_phone`, `Phone.run`, `load_board_bundle`, `build_program` and
            `read_answers`.
    """
    phone = find_phone(serial)
    abi = program_abi(phone)
    core = PROGRAMS[abi].core
    bundle = load_board_bundle(folder)
    settings = phone_settings(bundle, None)
    program = build_program(phone_sources(bundle.product, core, settings, hop_s=None), abi)
    files = {_PROGRAM: program, _GOLDEN: golden_bytes(bundle.golden)}
    said = phone.run(files, _PROGRAM, _GOLDEN, str(runs))
    scores, times_us = read_answers(said, bundle.golden, runs)
    expected = bundle.golden.outputs.reshape(len(scores), -1)
    latency = spread(times_us, "µs")
    assert latency is not None, "read_answers gives `runs` of them"
    litert_us, litert_note = _litert(phone, bundle, runs)
    return OnPhone(
        phone=phone,
        model_sha256=bundle.model_sha256,
        abi=abi,
        core=core,
        program_bytes=len(program),
        n_golden=len(scores),
        wrong=tuple(np.flatnonzero((scores != expected).any(axis=1)).tolist()),
        latency=latency,
        litert_us=litert_us,
        litert_note=litert_note,
    )


def _litert(phone: Phone, bundle: BoardBundle, runs: int) -> tuple[float | None, str]:
    """The mean of LiteRT's time in µs, or why there is none."""
    if bundle.product.composition is not None:
        return None, "several models answer as one, which LiteRT does not know"
    if not phone.has(LITERT_PROGRAM):
        why = (
            f"push its {LITERT_PROGRAM} to /data/local/tmp, and chmod 755, to have it measured too"
        )
        return None, why
    (member,) = bundle.product.members
    options = ("--num_threads=1", f"--num_runs={runs}", "--use_xnnpack=true", "2>&1")
    files = {_MODEL: member.path.read_bytes()}
    try:
        said = phone.run(files, f"../{LITERT_PROGRAM}", f"--graph={_MODEL}", *options)
    except KdEdgeError as error:
        if error.code not in ("KD_BOARD_PROTOCOL", "KD_BOARD_REFUSED"):
            raise
        # What plain C has shown stays: that program is not ours.
        return None, f"{LITERT_PROGRAM} failed: {error.message}; {error.where}"
    return read_litert(said)


def read_litert(said: str) -> tuple[float | None, str]:
    """The mean time in µs of what `benchmark_model` wrote; None and why if it tells none."""
    times = re.findall(r"Inference \(avg\): (\d+(?:\.\d+)?(?:e[+-]?\d+)?)", said)
    if times and float(times[-1]) > 0:
        return float(times[-1]), ""
    return None, f"{LITERT_PROGRAM} ended without a time"


def program_abi(phone: Phone) -> str:
    """The phone's favourite binary interface that a program can be made for.

    Raises:
        KdEdgeError KD_BOARD_MODEL: there is none.
    """
    for abi in phone.abis:
        if abi in PROGRAMS:
            return abi
    raise KdEdgeError(
        "KD_BOARD_MODEL",
        f"{phone.model} runs programs for {', '.join(phone.abis)} alone",
        where=phone.serial,
        hint=f"kd-edge makes programs for {', '.join(PROGRAMS)}",
    )


def read_answers(said: str, golden: Golden, runs: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores (vectors, scores) int8 and times (runs,) in µs of what the program wrote.

    Raises:
        KdEdgeError KD_BOARD_PROTOCOL: it is not whole, or something else.
    """
    n = len(golden.labels)
    size = golden.outputs.size // n
    lines = said.split("\n") if "\r" not in said else said.splitlines()
    rows = [line.split(" ") for line in lines if line]
    try:
        scores = [bytes.fromhex(text) for word, text in rows[:n] if word == "scores"]
        times = [int(text) for word, text in rows[n : n + runs] if word == "ns"]
    except ValueError:
        scores, times = [], []
    whole = len(scores) == n and len(times) == runs and rows[n + runs :] == [["end"]]
    if not whole or {len(row) for row in scores} != {size} or min(times) < 0:
        raise KdEdgeError(
            "KD_BOARD_PROTOCOL",
            f"the phone's answers are not whole: {len(rows)} lines of {n + runs + 1}",
            where=rows[-1][0][:40] if rows else "nothing came",
            hint="Android may have killed the program: close other apps, keep the phone awake, and "
            "try again",
        )
    values = np.frombuffer(b"".join(scores), np.int8).reshape(n, size)
    return values, np.array(times, np.float64) / 1000
