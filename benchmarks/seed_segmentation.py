"""The public segmentation project's way of distilling, on our data: what is lost by its mistake.

    python benchmarks/seed_segmentation.py --data camvid_160x120.npz --seeds 3 \\
        --out results/others/seed-segmentation.json

It trains `recipes/camvid.toml` with one student, its U-Net with half of the filters, which learns
as theirs did: both networks' probabilities go through a second softmax, which runs over the rows of
an image and not over its classes. kd-edge's own losses refuse both steps; this one stands here,
outside of it. Labels beside it hide what a loss teaches: two more students learn from their loss
alone, and from ours alone.

Nothing is converted. A seed takes about 6 minutes of one core, 3 of them for the teacher, which
`kd-edge results camvid --one-by-one` leaves in the user's cache. A run that was interrupted goes on
at the model that it was at.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from keras import ops
from pydantic import PositiveFloat

from kd_edge.base.files import write_text
from kd_edge.distill.batch import Batch
from kd_edge.distill.losses import LOSSES, Loss
from kd_edge.pipeline.trial import Trial, train_and_score
from kd_edge.pipeline.watch import Watch
from kd_edge.recipe.tables import Recipe

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "camvid.toml"
# Temperature and share of the labels are those of the public sign projects; its own are not known.
_THEIRS = {"loss": "published-rows", "temperature": 3.0}
WAYS = {
    "their-way": _THEIRS | {"alpha": 0.1},
    "their-loss-alone": _THEIRS | {"alpha": 0.0},
    "our-loss-alone": {"loss": "hinton", "temperature": 2.0, "alpha": 0.0},
}


class PublishedRows(Loss):
    """Divergence of a softmax over the rows of an image, of probabilities.

    Options:
        temperature: above 0.
    """

    published: ClassVar = {"temperature": 3.0}

    temperature: PositiveFloat

    def values(self, batch: Batch, layers):
        del layers
        ours, theirs = (
            ops.softmax(ops.softmax(logits, axis=-1) / self.temperature, axis=1)
            for logits in (batch.student.logits, batch.taught.logits)
        )
        # Keras's divergence sums over the last axis and is averaged over the rest.
        each = ops.sum(theirs * (ops.log(theirs) - ops.log(ours)), axis=-1)
        return ops.mean(each, axis=(1, 2))


def recipe_of(way: str, epochs: int | None) -> Recipe:
    """The recipe with their student alone.

    Args:
        way: of `WAYS`. epochs: of both models, in place of its own.
    """
    tables = tomllib.loads(RECIPE.read_text(encoding="utf-8"))
    del tables["quick"], tables["conversion"]["max_int8_bytes"]
    (student,) = [each for each in tables["students"] if each["name"] == "half"]
    student |= {"name": way, "class_balance": 0.0}
    teachers = [each for each in tables["teachers"] if each["name"] in student["teachers"]]
    for model in [*teachers, student] if epochs else ():
        model["epochs"] = epochs
    own = {"teachers": teachers, "students": [student], "distillation": WAYS[way]}
    return Recipe(**tables | {"name": "camvid-theirs"} | own)


def told(trials: Sequence[Trial]) -> dict:
    """Mean IoU in percent, in floating point: part -> model -> seed by seed.

    Args:
        trials: of each seed one of every way, seed by seed.
    """
    found: dict[str, dict[str, dict[int, float]]] = {}
    for trial in trials:
        for model in (*trial.teachers, *trial.students):
            for part, figure in model.figures.items():
                of_model = found.setdefault(part, {}).setdefault(model.name, {})
                of_model[trial.seed] = 100 * figure.value
    return {
        "seeds": list(dict.fromkeys(trial.seed for trial in trials)),
        "mean_iou_percent": {
            part: {name: list(seeds.values()) for name, seeds in models.items()}
            for part, models in found.items()
        },
    }


class _Said(Watch):
    """Epochs on standard error."""

    def epoch(self, progress) -> None:
        print(
            f"{progress.model} epoch {progress.epoch}/{progress.epochs}, {progress.seconds:.0f} s",
            file=sys.stderr,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSON file, written seed by seed")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, help="of both models; the recipe's otherwise")
    asked = parser.parse_args()
    LOSSES.add(PublishedRows, name="published-rows")
    trials: list[Trial] = []
    for seed in range(asked.seeds):
        trials += [
            train_and_score(recipe_of(way, asked.epochs), data=asked.data, seed=seed, watch=_Said())
            for way in WAYS
        ]
        found = told(trials)
        write_text(asked.out, json.dumps(found, indent=1) + "\n")
    for part, models in found["mean_iou_percent"].items():
        for name, seeds in models.items():
            print(f"{part}: {name} mean IoU {statistics.fmean(seeds):.1f} %, {len(seeds)} seeds")


if __name__ == "__main__":
    main()
