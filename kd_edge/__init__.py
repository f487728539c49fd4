"""kd-edge: distill sign and gesture recognisers, convert them, and prove the result.

As a library::

    import kd_edge

    product = kd_edge.load("build/demo")
    for recording in kd_edge.read("recordings"):
        print(product.predict(recording).names)

What a name needs is imported when it is first used, so that `import kd_edge` costs nothing.
"""

from __future__ import annotations

import importlib

from kd_edge.base.version import __version__

# Name -> the module that has it. docs/library.md says what each is for. Relative, since
# `base.sources` takes a module's whole name for an import, and these run when they are asked for.
_PUBLIC = {
    "Recording": ".signals",
    "Stream": ".signals",
    "read": ".signals",
    "load_recipe": ".recipe",
    "build": ".pipeline.build",
    "bench": ".pipeline.bench",
    "train_and_score": ".pipeline.trial",
    "Trial": ".pipeline.trial",
    "load": ".pipeline.loaded",
    "LoadedBundle": ".pipeline.loaded",
    "Predictions": ".pipeline.loaded",
    "KdEdgeError": ".base.errors",
}

__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'kd_edge' has no attribute '{name}'")
    return getattr(importlib.import_module(_PUBLIC[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
