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

from kd_edge.base.errors import KdEdgeError

_MOST_SECONDS = 300


@dataclass(frozen=True)
class Oracle:
    """What became of a file in TFLite Micro: its answers, its refusal, or its end by a signal."""

    answers: Answered | None
    refusal: str = ""
    ended: bool = False


def ask_apart(
    models: Sequence[bytes], *, seed: int, n_windows: int, carried: Sequence[bool]
) -> list[Oracle]:
    """TFLite Micro's answers to random windows, or why there are none.

    Args:
        carried: for each model whether its state lives on from window to window.
    """
    found: list[Oracle] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for i, (content, carry) in enumerate(zip(models, carried, strict=True)):
            asked = {"content": content, "seed": seed, "n_windows": n_windows, "carry_state": carry}
            (folder / f"{i}.asked").write_bytes(pickle.dumps(asked))
        while len(found) < len(models):
            done = subprocess.run(
                [sys.executable, __file__, name, str(len(found)), str(len(models))],
                capture_output=True,
                check=False,
                timeout=_MOST_SECONDS,
            )
            while (folder / f"{len(found)}.answer").exists():
                found.append(pickle.loads((folder / f"{len(found)}.answer").read_bytes()))
            if len(found) < len(models):
                # A signal is what a hostile file may do to TFLite Micro, an exception is ours.
                assert done.returncode < 0, done.stderr.decode()
                found.append(Oracle(None, f"ended by signal {-done.returncode}", ended=True))
    return found


def _answer(asked: dict) -> Oracle:
    try:
        return Oracle(tflm_answers(**asked))
    except KdEdgeError as error:
        return Oracle(None, f"{error.message}: {error.where}")


def _main(folder: str, first: str, end: str) -> None:
    for i in range(int(first), int(end)):
        asked = pickle.loads((Path(folder) / f"{i}.asked").read_bytes())
        made = Path(folder) / f"{i}.made"
        made.write_bytes(pickle.dumps(_answer(asked)))
        made.replace(made.with_suffix(".answer"))


if __name__ == "__main__":
    # The parent knows these classes by the module's name, not as parts of a main program.
    from aot_oracle import _main as main

    main(*sys.argv[1:])
