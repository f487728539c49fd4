"""Recipes: one TOML file that says what is built, validated before any work starts."""

from kd_edge.recipe.decision import Decision
from kd_edge.recipe.product import Product
from kd_edge.recipe.search import Budget, Choices, Range, Search
from kd_edge.recipe.tables import (
    Augmentation,
    Aware,
    Conversion,
    Dataset,
    Distillation,
    Firmware,
    Model,
    Proof,
    Recipe,
    Student,
)
from kd_edge.recipe.toml import load_recipe, load_search, parse_recipe, to_toml, with_values

__all__ = [
    "Augmentation",
    "Aware",
    "Budget",
    "Choices",
    "Conversion",
    "Dataset",
    "Decision",
    "Distillation",
    "Firmware",
    "Model",
    "Product",
    "Proof",
    "Range",
    "Recipe",
    "Search",
    "Student",
    "load_recipe",
    "load_search",
    "parse_recipe",
    "to_toml",
    "with_values",
]
