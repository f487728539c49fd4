"""The catalogue of losses, augmentations and models' options in docs/recipes.md."""

from __future__ import annotations

import re
import tomllib

import pytest

pytest.importorskip("keras")

from kd_edge.distill.augmentations import AUGMENTATIONS, make_augmentations
from kd_edge.distill.catalogue import DOCUMENT, EXPLAINED, document
from kd_edge.distill.losses import LOSSES, make_loss, weigh_labels
from kd_edge.distill.tapped import Tapped
from kd_edge.models import build_model, model_options
from kd_edge.recipe import Distillation


def test_the_document_is_what_the_registries_say():
    """Oracle: the generator; `python -m kd_edge.distill.catalogue` mends it."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert document(text) == text


def test_every_option_is_in_the_catalogue():
    """Oracle: the fields of each class."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, kind in {**LOSSES, **AUGMENTATIONS}.items():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
        for field in kind.model_fields:
            assert field in row.split(" | ")[-1], (name, field)


@pytest.mark.parametrize("name", sorted(EXPLAINED))
def test_options_that_a_table_by_hand_explains_are_all_there(name):
    """Oracle: the builder's own options, each in the first cell of a row or in an example."""
    images = DOCUMENT.with_name("images.md").read_text(encoding="utf-8")
    text = DOCUMENT.read_text(encoding="utf-8") + images
    told = re.findall(r"^\| (`[^|]*`) \|", text, re.MULTILINE)
    told += re.findall(r"^options = (.*)$", text, re.MULTILINE)
    for option in model_options(name):
        assert any(re.search(rf"\b{option}\b", each) for each in told), option


def test_the_examples_of_the_manual_are_losses_and_augmentations():
    """Oracle: what reads a recipe's tables."""
    examples = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    tables = [tomllib.loads(text) for text in examples]
    augmented = [t["augmentation"] for t in tables if "augmentation" in t]
    distilled = [t["distillation"] for t in tables if "loss" in t.get("distillation", {})]
    assert len(augmented) >= 2
    assert len(distilled) >= 4
    for table in augmented:
        assert make_augmentations({k: v for k, v in table.items() if k != "copies"})
    for table in distilled:
        own = {k: v for k, v in table.items() if k not in Distillation.model_fields}
        assert weigh_labels(make_loss(table["loss"], own), table["alpha"])


def test_the_layers_that_the_example_names_are_at_one_resolution():
    """Oracle: the models of the manual's recipe, and what the loss asks of their layers."""
    examples = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    recipe = tomllib.loads(examples[0])
    (example,) = [text for text in examples if '"fitnets"' in text]
    terms = tomllib.loads(example)["distillation"]["terms"]
    (term,) = [term for term in terms if term["loss"] == "fitnets"]
    hint = make_loss("fitnets", {k: v for k, v in term.items() if k not in ("loss", "weight")})
    samples = round(recipe["windows"]["length_s"] * 200)  # the set's rate

    def shapes(role: str, layers) -> dict:
        model = build_model(
            recipe[role][0]["model"],
            input_shapes={"all": (samples, 8)},
            n_classes=26,
            seed=1,
            options={},
        )
        return Tapped(model, layers, role).shapes

    taps = hint.taps()
    assert hint.layers(shapes("students", taps.student), shapes("teachers", taps.teacher))
