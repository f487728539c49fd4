"""The part of `arena.py` that runs in a process of its own, because a small arena ends the process.

Its arguments are MODEL GENEROUS_BYTES. It prints TFLite Micro's own account of a
generous arena on standard error, and the smallest arena that runs, in bytes, on standard output.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tflite_micro.python.tflite_micro import runtime

GRANULE_BYTES = 16
_SEED = 0


def open_with_arena(content: bytes, arena_bytes: int):
    """TFLite Micro's interpreter; a small arena ends in RuntimeError, or ends the process."""
    return runtime.Interpreter.from_bytes(content, arena_size=arena_bytes)


def answers(interpreter, content: bytes) -> list[bytes]:
    """Bytes of every output for one random window, from a fresh state."""
    graph = runtime.convert_bytearray_to_object(content).subgraphs[0]
    rng = np.random.default_rng(_SEED)
    interpreter.reset()
    for index in range(len(graph.inputs)):
        interpreter.set_input(_random(interpreter.get_input_details(index), rng), index)
    interpreter.invoke()
    return [interpreter.get_output(index).tobytes() for index in range(len(graph.outputs))]


def _random(details: dict, rng: np.random.Generator) -> np.ndarray:
    shape, dtype = tuple(details["shape"]), np.dtype(details["dtype"])
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, size=shape, dtype=dtype, endpoint=True)
    return rng.standard_normal(shape).astype(dtype)


def runs_with(content: bytes, expected: list[bytes], arena_bytes: int) -> bool:
    """Whether the model gives the expected answers in this arena, tried in a forked process."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            status = int(answers(open_with_arena(content, arena_bytes), content) != expected)
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0


def smallest(works: Callable[[int], bool], enough: int) -> int:
    """The smallest multiple of the granule for which `works`, given that `enough` does."""
    low, high = 0, -(-enough // GRANULE_BYTES)
    while high - low > 1:
        middle = (low + high) // 2
        if works(middle * GRANULE_BYTES):
            high = middle
        else:
            low = middle
    return high * GRANULE_BYTES


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    content, generous = Path(sys.argv[1]).read_bytes(), int(sys.argv[2])
    interpreter = open_with_arena(content, generous)
    expected = answers(interpreter, content)
    interpreter.print_allocations()
    print(smallest(lambda size: runs_with(content, expected, size), generous))


if __name__ == "__main__":
    main()
