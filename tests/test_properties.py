"""Properties draw the same examples whatever ran before them."""

from __future__ import annotations

import importlib.util
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

ODD = 1_234_567_891_011


def drawn() -> list[int]:
    """What a property is given."""
    found = []

    @settings(max_examples=300)
    @given(st.integers())
    def keep(value):
        found.append(value)

    keep()
    return found


def test_examples_are_the_same_again_and_after_another_module_of_ours_was_imported(tmp_path):
    """Oracle: two runs. Hypothesis would draw the constants of a module that is no library's."""
    first = drawn()
    assert len(set(first)) > 100
    assert drawn() == first
    path = tmp_path / "of_our_own.py"
    path.write_text(f"FOUND = {list(range(ODD, ODD + 40))}\n")
    spec = importlib.util.spec_from_file_location("of_our_own", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        assert drawn() == first
    finally:
        del sys.modules[spec.name]
