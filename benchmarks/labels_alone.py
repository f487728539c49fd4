"""A recipe's students on labels alone, as a recipe: what their teachers are worth to them.

    python benchmarks/labels_alone.py recipes/cifar10-selector.toml > build/cifar10-labels.toml
    kd-edge build build/cifar10-labels.toml --data cifar10_10k_2k_jpg.tar.xz --seeds 5 \\
        --out build/labels
    cp build/labels/seeds.json results/others/cifar10-labels.json

Of a cascade, `benchmarks/cascade_seeds.py` measures the recipe, as it does the cascade itself.

Teachers, a selector and the quick form are left out; everything else stays. The students'
names end with '-labels'. `kd-edge results` trains such twins by itself, of the rows that it has.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import tomli_w


def on_labels(tables: dict) -> dict:
    """The tables of a recipe whose students learn from labels alone."""
    left_out = ("teachers", "quick", "selector", "search")
    made = {key: value for key, value in tables.items() if key not in left_out}
    students = [
        {key: value for key, value in student.items() if key not in ("teachers", "layers_from")}
        | {"name": f"{student['name']}-labels", "distill": False}
        for student in tables["students"]
    ]
    names = [student["name"] for student in students]
    product = {"models": names[:1]}
    if tables.get("product", {}).get("rule") == "cascade":
        product = tables["product"] | {"models": names, "name": "both"}
    return made | {"name": f"{tables['name']}-labels", "students": students, "product": product}


def main() -> None:
    tables = tomllib.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    print(tomli_w.dumps(on_labels(tables)), end="")


if __name__ == "__main__":
    main()
