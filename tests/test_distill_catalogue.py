"""The catalogue of losses and augmentations in docs/recipes.md."""

from __future__ import annotations

import pytest

pytest.importorskip("keras")

from kd_edge.distill.augmentations import AUGMENTATIONS
from kd_edge.distill.catalogue import DOCUMENT, document
from kd_edge.distill.losses import LOSSES


def test_the_document_is_what_the_registries_say():
    """Oracle: the generator; `python -m kd_edge.distill.catalogue` mends it."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert document(text) == text


def test_every_option_is_in_the_catalogue():
    """Oracle: the fields of each class."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, kind in (LOSSES | AUGMENTATIONS).items():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
        for field in kind.model_fields:
            assert field in row.split(" | ")[-1], (name, field)
