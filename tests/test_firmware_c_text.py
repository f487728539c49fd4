"""Python values survive as C source text."""

from __future__ import annotations

import re

import numpy as np
import pytest
from firmware_samples import STRICT, run
from hypothesis import given
from hypothesis import strategies as st
from programs import need

from firmware_export import c_text
from kd_edge.base.errors import KdEdgeError


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_literal_reads_back_as_the_same_float32(value):
    """Oracle: NumPy's own reading of the literal's digits."""
    literal = c_text.float32(value)
    assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?f", literal)
    assert "." in literal or "e" in literal  # '5f' is no C
    assert np.float32(literal.removesuffix("f")) == np.float32(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e39])
def test_a_number_without_a_float32_form_is_refused(value):
    with pytest.raises(KdEdgeError) as caught:
        c_text.float32(value)
    assert caught.value.code == "KD_SHAPE"


def test_a_compiler_reads_every_string_back_byte_for_byte(tmp_path):
    """Oracle: gcc and its run-time, with trigraphs on."""
    need("gcc")
    texts = ['q"\\', "??/ ??=", "नमस्ते 1", "tab\tline\n", "\x7f9", "é5", "%s", "/* */"]
    source = "".join(f"puts({c_text.string(text)}); putchar(0);\n" for text in texts)
    program = tmp_path / "p.c"
    program.write_text(f"#include <stdio.h>\nint main(void) {{\n{source}return 0; }}\n")
    run("gcc", "-std=c99", "-trigraphs", *STRICT, program, "-o", tmp_path / "p")
    out = run(tmp_path / "p").decode("utf-8")
    assert out.split("\n\0")[:-1] == texts


def test_a_string_with_a_zero_character_is_refused():
    with pytest.raises(KdEdgeError) as caught:
        c_text.string("a\0b")
    assert caught.value.code == "KD_LABELS"


def test_names_that_fall_together_are_numbered():
    assert c_text.identifiers(["thank-you", "thank you", "THANK_YOU_2", "नमस्ते", ""]) == (
        "THANK_YOU",
        "THANK_YOU_2",
        "THANK_YOU_2_2",
        "UNNAMED",
        "UNNAMED_2",
    )


@given(st.text() | st.text("\\*/?\n x"))
def test_no_text_can_end_a_comment_or_its_line(text):
    flat = c_text.comment(text)
    assert "*/" not in flat
    assert "/*" not in flat
    assert not {"\n", "\r"} & set(flat)
    assert not flat.endswith(("\\", "??/"))


def test_an_escaped_byte_stays_as_it_is_in_a_comment():
    assert c_text.comment(r"temp\xb0C") == r"temp\xb0C"


def test_rows_stay_within_the_line_length_and_keep_every_cell():
    values = np.arange(-128, 128).astype(np.int8)
    text = c_text.int8_rows(values)
    assert max(map(len, text.splitlines())) <= 96
    assert [int(cell) for cell in text.replace("\n", " ").split(",")] == values.tolist()
