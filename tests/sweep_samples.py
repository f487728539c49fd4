"""A small recipe with a space to search, and what a sweep tells its watch."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from build_samples import RECIPE

from kd_edge.base.errors import KdEdgeError
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe import load_search
from kd_edge.trials.executors import HereExecutor
from kd_edge.trials.search import search
from kd_edge.trials.sweep import Place

STUDENT = """
[[students]]
name = "student"
model = "hidden"
options = { units = 4 }
distill = false
epochs = 2
batch_size = 16
learning_rate = 0.01
"""
ALONE = RECIPE[: RECIPE.index("[[teachers]]")] + STUDENT + RECIPE[RECIPE.index("[conversion]") :]
SPACE = """
[search]
trials = 4
seeds = 2
[search.space]
"students.student.options.units" = [2, 4, 8]
"students.0.learning_rate" = { low = 0.001, high = 0.1, log = true }
"""


def hidden(input_shapes, n_classes, *, units: int = 4):
    """A model that is traced and trained in a moment."""
    import keras

    if units < 1:
        raise KdEdgeError("KD_RECIPE_VALUE", f"units must be 1 or more, not {units}")
    windows = [keras.Input(shape, name=name) for name, shape in input_shapes.items()]
    flat = keras.layers.Concatenate()([keras.layers.Flatten()(window) for window in windows])
    inner = keras.layers.Dense(units, activation="relu")(flat)
    return keras.Model(windows, keras.layers.Dense(n_classes, name="logits")(inner))


class Told(Watch):
    """Counts what is really done, and keeps the notes; `stop_at` one of them is a Ctrl-C."""

    def __init__(self, stop_at: str | None = None):
        self.done: Counter[str] = Counter()
        self.epochs: Counter[str] = Counter()
        self.notes: list[str] = []
        self._stop_at = stop_at

    def stage(self, name: str, cached: bool) -> None:
        self.done[name] += not cached

    def epoch(self, progress) -> None:
        self.epochs[progress.model] += 1

    def note(self, text: str) -> None:
        self.notes.append(text)
        if self._stop_at is not None and self._stop_at in text:
            raise KeyboardInterrupt


def recipe_file(folder: Path, space: str = SPACE, recipe: str = ALONE) -> Path:
    path = folder / "swept.toml"
    path.write_text(recipe + space)
    return path


def run(path: Path, out: Path, *, told: Told | None = None, **settings):
    """The result of a search in this process."""
    told = told or Told()
    recipe, asked = load_search(path)
    if settings:
        asked = asked.model_copy(update=settings)
    place = Place(None, out, "kd-edge search", cache=True, watch=told)
    return search(recipe, asked, HereExecutor(None, watch=told), place)
