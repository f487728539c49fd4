"""What `personalise` needs of training: prototypes of the product's embedding, in the bundle."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import atomic_path
from kd_edge.base.flatbuffer import model_bytes, read_tflite
from kd_edge.base.formats import SHIPPED
from kd_edge.base.head import find_head, without_head
from kd_edge.base.untrusted import load_arrays
from kd_edge.examples import Examples
from kd_edge.personalise import MOST_FEATURES, Prototypes, fit_prototypes
from kd_edge.pipeline.bundle import Manifest, altered, bundled_file
from kd_edge.pipeline.context import Context
from kd_edge.pipeline.stages import key_of
from kd_edge.runtimes.interpreter import run_windows
from kd_edge.runtimes.registry import ON_PHONES, open_interpreter, version

PROTOTYPES_FILE = "prototypes.npz"
FORMAT_VERSION = 1


def embed(model: Path, windows: Examples, runtime: str) -> np.ndarray:
    """What a model's last layer gets of each window.

    Args:
        model: a `.tflite` that ends in a dense layer. runtime: a key of `RUNTIMES`.

    Returns:
        (windows, features) float32 in the embedding's real unit.

    Raises as `find_head`, `open_interpreter` and `run_windows`.
    """
    with tempfile.TemporaryDirectory(prefix="kd-edge-embedding-") as folder:
        body = Path(folder) / "body.tflite"
        body.write_bytes(without_head(model_bytes(model)))
        logits = run_windows(open_interpreter(runtime, body), windows).logits
    return logits.reshape(len(windows), -1)


def keep_prototypes(context: Context, manifest: Manifest) -> None:
    """Write prototypes.npz; nothing where no wearer can have a last layer of their own.

    That is so for images, for compositions, and for models that do not end in a dense layer.
    """
    (model, *others) = manifest.members
    file = context.out / model.format(SHIPPED).file
    if manifest.front_end is None or others or _headless(file):
        return
    key = key_of(
        file.name,
        read_tflite(file).sha256,
        model.inputs,
        context.data.key,
        version(ON_PHONES),
    )

    def make() -> None:
        training = context.data.training.in_memory()
        embedding = embed(file, training.only(model.inputs), ON_PHONES)
        subjects = training.groups.subject
        save_prototypes(
            context.out / PROTOTYPES_FILE,
            fit_prototypes(embedding, training.truth, subjects, len(training.class_names)),
        )

    context.stages.run(f"prototypes of {model.name}", key, [PROTOTYPES_FILE], make)


def _headless(file: Path) -> bool:
    try:
        head = find_head(read_tflite(file))
    except KdEdgeError as error:
        if error.code != "KD_UNSUPPORTED_OP":
            raise
        return True
    return not head.is_quantised or head.weights.shape[1] > MOST_FEATURES


def save_prototypes(path: Path, prototypes: Prototypes) -> None:
    """Keep prototypes as one NPZ file, for `load_prototypes`."""
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, version=np.array(FORMAT_VERSION), **vars(prototypes))


def load_prototypes(folder: Path, manifest: Manifest) -> Prototypes:
    """The prototypes that a bundle keeps.

    Raises:
        KdEdgeError KD_NO_FILE: it has none: an earlier kd-edge built it, or its model does not end
            in a dense layer. KD_BUNDLE_VERSION: a later one did. KD_BUNDLE_ALTERED: they are none.
    """
    if PROTOTYPES_FILE not in manifest.files:
        raise KdEdgeError(
            "KD_NO_FILE",
            f"the bundle has no {PROTOTYPES_FILE}, which tells what its model makes of training",
            where=str(folder),
            hint="build it again with this kd-edge; only models that end in a dense layer have one",
        )
    path = bundled_file(folder, manifest, PROTOTYPES_FILE)
    try:
        arrays = load_arrays(path)
        found = int(arrays["version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise altered(path, f"{type(error).__name__}: {error}") from error
    if found != FORMAT_VERSION:
        raise KdEdgeError(
            "KD_BUNDLE_VERSION",
            f"{PROTOTYPES_FILE} has version {found}; this kd-edge reads {FORMAT_VERSION}",
            where=str(path),
            hint="build the bundle again, or use the kd-edge that built it",
        )
    try:
        return _checked(arrays, len(manifest.class_names))
    except (ValueError, KeyError) as error:
        raise altered(path, f"{type(error).__name__}: {error}") from error


def _checked(arrays: dict[str, np.ndarray], n_classes: int) -> Prototypes:
    means, within, windows = (arrays[name] for name in ("means", "within", "windows"))
    features = means.shape[-1]
    shapes = (means.shape, within.shape, windows.shape)
    if shapes != ((n_classes, features), (features, features), (n_classes,)) or features < 1:
        raise ValueError(f"its arrays have the shapes {shapes}")
    if means.dtype != np.float32 or within.dtype != np.float32 or windows.dtype.kind != "i":
        raise ValueError("its arrays have other types")
    if not (np.isfinite(means).all() and np.isfinite(within).all()) or windows.min() < 1:
        raise ValueError("a number in it is not finite, or a class has no window")
    if not np.allclose(within, within.T, atol=1e-3 * np.abs(within).max()):
        raise ValueError("its covariance is not symmetric")
    if np.linalg.eigvalsh(within.astype(np.float64)).min() < -1e-3 * np.trace(within):
        raise ValueError("its covariance is not one")
    return Prototypes(means, within, windows)
