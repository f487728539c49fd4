"""Features of the training part that a bundle keeps, from which `bench` fits baselines."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from kd_edge.base.errors import KdEdgeError
from kd_edge.pipeline.kept_features import FEATURES_FILE, baselines_again

GOOD = {"features": np.ones((4, 3), np.float32), "truth": np.array([0, 1, 0, 1])}


@pytest.mark.parametrize(
    "change",
    [
        {"features": np.ones((4, 3))},
        {"features": np.ones(4, np.float32)},
        {"features": np.full((4, 3), np.nan, np.float32)},
        {"truth": np.array([0, 1, 0])},
        {"truth": np.array([0, 1, 0, 2])},
        {"truth": np.array([0, 1, 0, -1])},
        {"truth": np.array([0.0, 1.0, 0.0, 1.0])},
        {"truth": None},
    ],
)
def test_features_that_no_build_has_written_are_refused(tmp_path, change):
    """Oracle: what `keep_features` writes: (n, features) float32, and (n,) known classes."""
    arrays = {name: array for name, array in (GOOD | change).items() if array is not None}
    np.savez(tmp_path / FEATURES_FILE, **arrays)
    manifest = SimpleNamespace(
        files={FEATURES_FILE: ""},
        class_names=("a", "b"),
        front_end=SimpleNamespace(input_rates_hz={}),
    )
    with pytest.raises(KdEdgeError) as caught:
        list(baselines_again(tmp_path, manifest, SimpleNamespace(), {}))
    assert caught.value.code == "KD_BUNDLE_ALTERED"


def test_features_that_are_no_file_of_arrays_are_refused(tmp_path):
    (tmp_path / FEATURES_FILE).write_bytes(b"PK but not for long")
    manifest = SimpleNamespace(files={FEATURES_FILE: ""}, class_names=("a",), front_end=None)
    manifest.front_end = SimpleNamespace(input_rates_hz={})
    with pytest.raises(KdEdgeError) as caught:
        list(baselines_again(tmp_path, manifest, SimpleNamespace(), {}))
    assert caught.value.code == "KD_BUNDLE_ALTERED"
