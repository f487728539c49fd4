"""The training part's simple features, kept so that `bench` can fit the baselines again.

A fitted forest is a pickle, which runs whatever its writer liked; numbers are only numbers. The
same numbers, seed and version of scikit-learn give the same baseline.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from kd_edge.base.files import atomic_path
from kd_edge.base.untrusted import load_arrays
from kd_edge.examples import Examples
from kd_edge.pipeline.bundle import Manifest, altered, bundled_file
from kd_edge.pipeline.context import Context
from kd_edge.pipeline.stages import key_of
from kd_edge.recipe import Recipe
from kd_edge.report.tree import Row
from kd_edge.runtimes.results import SCIKIT_LEARN
from kd_edge.tasks.figures import Figure

FEATURES_FILE = "baselines.npz"


def keep_features(context: Context) -> None:
    """Write features (n, features) float32 and truth (n,) of the training part, for baselines."""
    if not context.recipe.proof.baselines:
        return
    data = context.data

    def make() -> None:
        from kd_edge.measure.baselines import baseline_features

        with atomic_path(context.out / FEATURES_FILE) as temporary:
            np.savez_compressed(
                temporary,
                features=baseline_features(data.training, data.input_rates_hz),
                truth=data.training.truth,
            )

    context.stages.run("features of the training part", key_of(data.key), [FEATURES_FILE], make)


def baselines_again(
    folder: Path, manifest: Manifest, recipe: Recipe, parts: Mapping[str, Examples]
) -> Iterator[Row]:
    """The recipe's baselines, fitted on what the bundle keeps, on the windows of other parts.

    Raises:
        KdEdgeError KD_BUNDLE_ALTERED: the file is not as it was built. KD_MISSING_PACKAGE: as
            `fit_baseline`.
    """
    from kd_edge.measure.baselines import ask_baseline, fit_baseline
    from kd_edge.tasks.accuracy import measure_accuracy

    features, truth = _kept(folder, manifest)
    rates_hz = manifest.front_end.input_rates_hz
    for name in recipe.proof.baselines:
        classifier = fit_baseline(name, features, truth, seed=recipe.seed)
        yield baseline_row(
            name,
            {
                part: measure_accuracy(ask_baseline(classifier, windows, rates_hz), windows)
                for part, windows in parts.items()
            },
        )


def _kept(folder: Path, manifest: Manifest) -> tuple[np.ndarray, np.ndarray]:
    path = bundled_file(folder, manifest, FEATURES_FILE)
    try:
        arrays = load_arrays(path)
        features, truth = arrays["features"], arrays["truth"]
        classes = len(manifest.class_names)
        whole = features.dtype == np.float32 and np.isfinite(features).all()
        if features.ndim != 2 or truth.shape != (len(features),) or not whole:
            raise ValueError("features and classes of windows are expected")
        if (
            not np.issubdtype(truth.dtype, np.integer)
            or not ((truth >= 0) & (truth < classes)).all()
        ):
            raise ValueError("a class that the bundle lacks")
    except (OSError, ValueError, KeyError) as error:
        raise altered(path, str(error)) from error
    return features, truth


def baseline_row(name: str, accuracy: dict[str, Figure]) -> Row:
    """A report's row of a baseline; `accuracy`: test part -> figure."""
    return Row(
        model=name,
        role="baseline",
        architecture=name,
        format="",
        runtime=SCIKIT_LEARN,
        parameters=None,
        size=None,
        accuracy=accuracy,
        latency=None,
        arena=None,
        notes=("simple features, trained without augmented copies",),
    )
