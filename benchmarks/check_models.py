"""Every `.tflite` file of a folder as plain C, beside TFLite Micro: which answer bit for bit.

    python -m benchmarks.check_models FOLDER [--windows 4] [--core m4]

Each model is compiled, for this machine with sanitizers or for an emulated core, and run on random
and extreme windows; the oracle is the interpreter of the `tflite-micro` package. The table says for
each file how many bytes of outputs were compared, or why the plain-C engine or TFLite Micro does
not take it. Exit status 1 if an answer differs or the folder holds no model.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from aot_harness import runner_of, tflm_answers

from firmware_export.aot.compiler import CompileSettings, compile_model
from kd_edge.base.errors import KdEdgeError

EXACT, DIFFERS, REFUSED, NO_ORACLE = "exact", "DIFFERS", "refused", "no oracle"


@dataclass(frozen=True)
class Outcome:
    """What became of a model.

    Attributes:
        kind: one of the four above.
        n_bytes: of outputs compared, all windows together.
        reason: why it was not compared; empty otherwise.
    """

    kind: str
    n_bytes: int = 0
    reason: str = ""


def check(content: bytes, *, n_windows: int, core: str = "host") -> Outcome:
    """Compile, run and compare one model."""
    try:
        compiled = compile_model(content, CompileSettings(core=core))
    except KdEdgeError as error:
        place = f" [{error.where}]" if error.where else ""
        return Outcome(REFUSED, reason=f"{error.code}: {error.message}{place}")
    try:
        expected = tflm_answers(content, seed=0, n_windows=n_windows)
    except KdEdgeError as error:
        return Outcome(NO_ORACLE, reason=f"{error.message}: {error.where}")
    run = runner_of(core)
    answers = run([compiled], [expected])[0]
    pairs = [
        (mine, truth)
        for window, right in zip(answers, expected.outputs, strict=True)
        for mine, truth in zip(window, right, strict=True)
    ]
    same = all(np.array_equal(mine, truth, equal_nan=False) for mine, truth in pairs)
    return Outcome(EXACT if same else DIFFERS, sum(truth.nbytes for _, truth in pairs))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--core", default="host", help="host, m3, m4, m7, m33 or m55")
    options = parser.parse_args(arguments)
    counts: Counter[str] = Counter()
    for path in sorted(options.folder.rglob("*.tflite")):
        outcome = check(path.read_bytes(), n_windows=options.windows, core=options.core)
        counts[outcome.kind] += 1
        name = path.relative_to(options.folder)
        print(f"{outcome.kind:9} {outcome.n_bytes:8} B  {name}  {outcome.reason}", flush=True)
    print(", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
    return 1 if counts[DIFFERS] or not counts else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
