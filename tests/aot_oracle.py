"""TFLite Micro in a process of its own: a file that it cannot bear ends that process alone."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aot_harness import Answered, tflm_answers

from kd_edge.errors import KdEdgeError

_MOST_SECONDS = 300


@dataclass(frozen=True)
class Oracle:
    """What became of a file in TFLite Micro: its answers, its refusal, or its end by a signal."""

    answers: Answered | None
    refusal: str = ""
    ended: bool = False


def ask_apart(models: Sequence[bytes], *, seed: int, n_windows: int) -> list[Oracle]:
    """TFLite Micro's answers to random windows, fresh state each, or why there are none."""
    found: list[Oracle] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for i, content in enumerate(models):
            (folder / f"{i}.tflite").write_bytes(content)
        while len(found) < len(models):
            arguments = [folder, len(found), len(models), seed, n_windows]
            done = subprocess.run(
                [sys.executable, __file__, *map(str, arguments)],
                capture_output=True,
                check=False,
                timeout=_MOST_SECONDS,
            )
            before = len(found)
            while (folder / f"{len(found)}.answer").exists():
                found.append(pickle.loads((folder / f"{len(found)}.answer").read_bytes()))
            if len(found) < len(models):
                assert done.returncode < 0 or len(found) > before, done.stderr.decode()
                found.append(Oracle(None, f"ended with {done.returncode}", ended=True))
    return found


def _answer(content: bytes, seed: int, n_windows: int) -> Oracle:
    try:
        return Oracle(tflm_answers(content, seed=seed, n_windows=n_windows))
    except KdEdgeError as error:
        return Oracle(None, f"{error.message} {error.where}")


def _main(folder: str, first: str, end: str, seed: str, n_windows: str) -> None:
    for i in range(int(first), int(end)):
        content = (Path(folder) / f"{i}.tflite").read_bytes()
        made = Path(folder) / f"{i}.made"
        made.write_bytes(pickle.dumps(_answer(content, int(seed), int(n_windows))))
        made.replace(made.with_suffix(".answer"))


if __name__ == "__main__":
    # The parent knows these classes by the module's name, not as parts of a main program.
    from aot_oracle import _main as main

    main(*sys.argv[1:])
