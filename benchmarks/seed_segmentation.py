"""The public segmentation project's way of distilling, on our data: what is lost by its mistake.

    python benchmarks/seed_segmentation.py --data camvid_160x120.npz --out build/theirs

It builds `recipes/camvid.toml` with one student, the teacher with half of its filters, which learns
as theirs did: both networks' probabilities go through a second softmax, which runs over the rows of
an image and not over its classes. kd-edge's own losses refuse both steps; this one stands here,
outside of it.
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import ClassVar

from keras import ops
from pydantic import PositiveFloat

from kd_edge.distill.batch import Batch
from kd_edge.distill.losses import LOSSES, Loss
from kd_edge.pipeline.build import build
from kd_edge.recipe.tables import Recipe

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "camvid.toml"
# Temperature and share of the labels are those of the public sign projects; its own are not known.
THEIRS = {"loss": "published-rows", "temperature": 3.0, "alpha": 0.1}


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


LOSSES.add(PublishedRows, name="published-rows")


def their_recipe(epochs: int | None) -> Recipe:
    """The recipe with their student alone. Args: epochs: of both models, in place of its own."""
    tables = tomllib.loads(RECIPE.read_text(encoding="utf-8"))
    del tables["quick"], tables["conversion"]["max_int8_bytes"]
    (student,) = [each for each in tables["students"] if each["name"] == "half"]
    student |= {"name": "their-way", "class_balance": 0.0}
    models = [*tables["teachers"], student]
    for model in models if epochs else ():
        model["epochs"] = epochs
    return Recipe(
        **tables | {"name": "camvid-theirs", "students": [student], "distillation": THEIRS}
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int)
    asked = parser.parse_args()
    done = build(their_recipe(asked.epochs), data=asked.data, out=asked.out, command="")
    for row in done.report.rows:
        figures = (f"{part} {100 * f.value:.1f} %" for part, f in row.accuracy.items())
        print(f"{row.model} {row.format} on {row.runtime}: mean IoU {', '.join(figures)}")


if __name__ == "__main__":
    main()
