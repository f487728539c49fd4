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

# Module -> the names that it gives the library. docs/library.md says what each is for. Modules are
# relative: `base.sources` takes a whole name for an import, and these run when they are asked for.
_GIVES = {
    ".base.errors": ("KdEdgeError",),
    ".signals": ("Recording", "Stream", "read"),
    ".signals.simulate": ("SignSettings", "simulate"),
    ".frontend": ("StreamFrontEnd", "apply_stream", "design_stream"),
    ".splits": ("Fold", "HoldOut", "Split", "SplitPart", "check_duplicates", "make_folds"),
    ".examples.hashes": ("window_hashes",),
    ".examples": (
        *("Examples", "FoldExamples", "Groups", "Sensing", "Windowing"),
        *("cut_windows", "fold_examples"),
    ),
    ".tasks": ("Task", "find_task"),
    ".models": ("build_model",),
    ".distill.losses": ("Loss", "make_loss", "weigh_labels"),
    ".distill.trainer": ("TrainSettings", "predict_logits", "train"),
    ".distill.foreign.settings": ("TeacherFile",),
    ".distill.foreign.opening": ("open_teacher",),
    ".distill.teachers": ("teach",),
    ".runtimes.registry": ("open_interpreter",),
    ".runtimes.interpreter": ("Interpreter", "run_windows"),
    ".convert.tflite": ("to_tflite",),
    ".measure.arena": ("measure_arena",),
    ".measure.latency": ("measure_latency",),
    ".measure.size": ("measure_size",),
    ".base.composition": ("Composition",),
    ".recipe": ("load_recipe",),
    ".pipeline.build": ("build",),
    ".pipeline.export_windows": ("export_windows",),
    ".pipeline.bench": ("bench",),
    ".pipeline.compose": ("compose",),
    ".pipeline.inside": ("Inside",),
    ".pipeline.trial": ("Trial", "TrialModel", "train_and_score"),
    ".pipeline.fleet": ("Fleet", "train_fleet"),
    ".pipeline.loaded": ("LoadedBundle", "Predictions", "load"),
}
_PUBLIC = {name: module for module, names in _GIVES.items() for name in names}

__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'kd_edge' has no attribute '{name}'")
    return getattr(importlib.import_module(_PUBLIC[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
