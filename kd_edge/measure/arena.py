"""Arena: the memory that TFLite Micro needs for a model, by its own account and by trial."""

from __future__ import annotations

import platform
import re
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.processes import python_command, python_environment, run_program
from kd_edge.measure.results import Arena
from kd_edge.runtimes.registry import open_interpreter
from kd_edge.runtimes.tflm import TFLM

_TOTAL = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")
_SECTION = re.compile(r"'([^']+)' used (\d+) bytes")


def measure_arena(path: Path) -> Arena:
    """Measure a model's arena with the interpreter of the `tflite-micro` wheel on this host.

    Returns:
        `sections` add up to `used_bytes`: the head (activations and scratch), what the recorder
        names in the persistent tail, and the rest of the tail. `smallest_bytes` is larger than
        `used_bytes` where planning the memory takes more for a moment than running the model.

    Raises:
        KdEdgeError: as `open_interpreter` for TFLite Micro.
        KdEdgeError KD_UNSUPPORTED_OP: the interpreter ended its process on this model.
    """
    # Opening it here first turns a bad or unsupported model into an error that says so.
    generous = open_interpreter(TFLM.name, path).arena_bytes
    done = run_program(
        python_command("kd_edge.measure.arena_child", str(Path(path).resolve()), str(generous)),
        environment=python_environment(),
    )
    if done.returncode != 0:
        raise KdEdgeError(
            "KD_UNSUPPORTED_OP",
            f"TFLite Micro's interpreter ended with status {done.returncode} on {Path(path).name}",
            where=" ".join(done.stderr.split())[-500:],
        )
    used, sections = parse_allocations(done.stderr)
    return Arena(
        abi=abi(),
        used_bytes=used,
        smallest_bytes=int(done.stdout),
        sections=sections,
        how=f"TFLite Micro's recording interpreter, reference kernels, on {abi()}, where pointers "
        "have 8 bytes: a 32-bit board needs less for the same kernels, while CMSIS-NN's can need "
        "more scratch. The smallest arena was found by bisection, to 16 bytes, with equal answers.",
    )


def abi() -> str:
    """The ABI that the figures hold for: 'x86-64', 'aarch64', …"""
    return platform.machine().replace("_", "-")


def parse_allocations(text: str) -> tuple[int, tuple[tuple[str, int], ...]]:
    """Total bytes and (section, bytes) that add up to it, from what the recorder prints.

    Raises:
        ValueError: the text is not the recorder's (the wheel is pinned, so it always is).
    """
    totals = {name: int(count) for name, count in _TOTAL.findall(text)}
    if set(totals) != {"total", "head", "tail"}:
        raise ValueError(f"no account of the arena in: {text!r}")
    named = [(name, int(count)) for name, count in _SECTION.findall(text) if int(count)]
    rest = totals["tail"] - sum(count for _, count in named)
    return totals["total"], (
        ("head: activations and scratch", totals["head"]),
        *named,
        ("interpreter and allocator", rest),
    )
