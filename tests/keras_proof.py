"""The proof of one float file of a student beside Keras, as a build makes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from kd_edge.examples import Examples, Groups
from kd_edge.pipeline.bundle import BundledFormat, BundledModel
from kd_edge.pipeline.kept_windows import PARITY_PART, StoredWindows
from kd_edge.pipeline.proof import Prover
from kd_edge.recipe import Proof
from kd_edge.runtimes.parity import FLOAT_TOLERANCE
from kd_edge.runtimes.results import KERAS, Side
from kd_edge.tasks.classification import CLASSIFICATION


def proved_as_keras(network, path: Path, form: str, runtime: str, data: Mapping[str, np.ndarray]):
    """The comparison with Keras, which must agree, and the file's row.

    Args:
        network: six classes. data: input name -> (windows, ...) float32.
    """
    order = tuple(tensor.name for tensor in network.inputs)
    taken = (BundledFormat(form, path.name, (), (runtime,)),)
    model = BundledModel("student", "student", "tcn", None, order, None, taken)
    n = len(data[order[0]])
    windows = Examples(
        dict(data),
        np.arange(n) % 6,
        Groups.each([f"window {index}" for index in range(n)]),
        tuple("abcdef"),
    )
    logits = np.asarray(network([data[name] for name in order], training=False))
    stored = StoredWindows({PARITY_PART: windows}, {"student": {PARITY_PART: logits}})
    manifest = SimpleNamespace(task=CLASSIFICATION.name, models=(model,), composition=None)
    proven = Prover(path.parent, manifest, stored, Proof(latency_runs=20)).prove()
    (parity,) = proven.parity
    assert (parity.left, parity.right) == (Side(KERAS, KERAS), Side(form, runtime))
    assert (parity.class_agreement, parity.max_steps) == (1.0, None)
    assert parity.max_abs <= FLOAT_TOLERANCE * np.abs(logits).max()
    return parity, proven.rows[-1]
