"""Recipes: one TOML file that says what is built, validated before any work starts."""

from kd_edge.recipe.product import Product
from kd_edge.recipe.tables import (
    Augmentation,
    Conversion,
    Dataset,
    Distillation,
    Firmware,
    Model,
    Proof,
    Recipe,
    Student,
)
from kd_edge.recipe.toml import load_recipe, parse_recipe, to_toml

__all__ = [
    "Augmentation",
    "Conversion",
    "Dataset",
    "Distillation",
    "Firmware",
    "Model",
    "Product",
    "Proof",
    "Recipe",
    "Student",
    "load_recipe",
    "parse_recipe",
    "to_toml",
]
