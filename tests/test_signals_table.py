"""Parsing of number tables: exact, strict, and precise about what is wrong."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals import table
from kd_edge.signals.table import TableLayout, parse_numbers

ABC = TableLayout("f.csv", ("a", "b", "c"), first_row=8)
RAGGED = TableLayout("f.csv", ("a", "b", "c"), first_row=8, ragged=True)


def refused(body: bytes, layout: TableLayout = ABC) -> KdEdgeError:
    with pytest.raises(KdEdgeError) as caught:
        parse_numbers(body, layout)
    return caught.value


def test_numbers_come_out_correctly_rounded():
    """Oracle: Python's float(), which rounds correctly."""
    draw = random.Random(1)
    texts = [repr(draw.uniform(-1, 1) * 10.0 ** draw.randint(-40, 37)) for _ in range(5000)]
    texts += [f"{draw.uniform(-1, 1):.25e}" for _ in range(5000)]
    texts += [f"{draw.randint(0, 10**18)}.{draw.randint(0, 10**25)}" for _ in range(5000)]
    texts += ["4.9e-324", "2.2250738585072011e-308", "9007199254740993", "-0", "+5", ".5", "5."]
    (column,) = parse_numbers("\n".join([*texts, ""]).encode(), TableLayout("f", ("a",), 1))
    assert column.tolist() == [float(text) for text in texts]


@pytest.mark.parametrize(
    "body",
    [
        b"1,2,3\n4,5,6\n",
        b"1, 2, 3\r\n4,5,6\n",
        b" 1 ,2 ,3 \r\n4,5,6\r\n\r\n\n",
        b"1,2,3,\n4,5,6, \r\n",
    ],
)
def test_separators_line_ends_and_empty_cells_at_the_end_do_not_matter(body):
    """Oracle: the same six numbers in each spelling."""
    columns = parse_numbers(body, ABC)
    assert [c.tolist() for c in columns] == [[1, 4], [2, 5], [3, 6]]


def test_ragged_columns_end_where_their_cells_do():
    """Oracle: the layout of Trigno Discover exports, where slow signals end early."""
    columns = parse_numbers(b"1,2,3\n4,,6\n7,,\n", RAGGED)
    assert [c.tolist() for c in columns] == [[1, 4, 7], [2], [3, 6]]


def test_a_long_table_is_read_in_chunks_with_the_same_result(monkeypatch):
    """Oracle: the same bytes in one chunk; the ragged end lies in a middle chunk."""
    rows = [f"{i},{i / 7 if i < 200 else ''},{-i}" for i in range(500)]
    body = "\n".join([*rows, ""]).encode()
    whole = parse_numbers(body, RAGGED)
    late = body.replace(b"\n450,,", b"\n450,9,")
    assert refused(late, RAGGED).where.endswith("row 208, column 2 (b)")
    monkeypatch.setattr(table, "_CHUNK_BYTES", 100)
    for one, other in zip(whole, parse_numbers(body, RAGGED), strict=True):
        np.testing.assert_array_equal(one, other)
    assert refused(late, RAGGED).where.endswith("row 208, column 2 (b)")


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        (b"1,2,3\n4,x,6\n", "KD_BAD_CELL", "row 9, column 2 (b)"),
        (b"1,2,3\n4,nan,6\n", "KD_BAD_CELL", "row 9, column 2 (b)"),
        (b"1,2,3\n4,5,inf\n", "KD_BAD_CELL", "row 9, column 3 (c)"),
        (b"1,2,3\n4,1 2,6\n", "KD_BAD_CELL", "row 9, column 2 (b)"),
        (b"1,1-2,3\n", "KD_BAD_CELL", "row 8, column 2 (b)"),
        (b"1,e5,3\n", "KD_BAD_CELL", "row 8, column 2 (b)"),
        (b"1,1e99,3\n", "KD_BAD_CELL", "row 8, column 2 (b)"),
        (b"1,1e999,3\n", "KD_BAD_CELL", "row 8, column 2 (b)"),
        (b'"1",2,3\n', "KD_BAD_CELL", "row 8, column 1 (a)"),
        (b"1,2,3\n4,5\x00,6\n", "KD_BAD_CELL", "row 9, column 2 (b)"),
        (b"1;2;3\n", "KD_BAD_CELL", "row 8, column 1 (a)"),
        (b"1,2,3\r4,5,6\r", "KD_TRUNCATED", "row 8"),
        (b"1,2,3\r4,5,6\n", "KD_BAD_CELL", "row 8, column 3 (c)"),
        (b"1,2,3\n4,,6\n7,8,9\n", "KD_BAD_CELL", "row 9, column 2 (b)"),
        (b"1,2,3\n4,5,6,7\n8,9,1\n", "KD_BAD_CELL", "row 9, column 4"),
        (b"1,2,3\n4,5,6,7\n8,9\n", "KD_BAD_CELL", "row 9, column 4"),
        (b"1,2,3\n4,5\n7,8,9\n", "KD_BAD_CELL", "row 9, column 3 (c)"),
        (b"1,2,3\n\n7,8,9\n", "KD_BAD_CELL", "row 9, column 2 (b)"),
        (b"1,2,3\n4,5\n", "KD_TRUNCATED", "row 9, column 3 (c)"),
        (b"1,2,3\n4,5,6", "KD_TRUNCATED", "row 9, column 3"),
        (b"1,2,3\n4,5", "KD_TRUNCATED", "row 9, column 2"),
        (b"0,12,0,5,3\n", "KD_BAD_CELL", "row 8, column 4"),
        (b"1,2,3\n4,5,6,\n7,8,9\n", "KD_BAD_CELL", "row 9, column 4"),
        (b"1,2,3,\n4,5,6\n", "KD_BAD_CELL", "row 9, column 4"),
        (b"1,2,3,\n4,5,6,7\n", "KD_BAD_CELL", "row 9, column 4"),
        (b"1,2,3,,\n4,5,6,,\n", "KD_BAD_CELL", "row 8, column 4"),
    ],
)
def test_a_malformed_cell_is_named_by_row_and_column(body, code, place):
    """Oracle: the rows and columns as counted by eye, the first row of numbers being row 8."""
    error = refused(body)
    assert error.code == code
    assert place in error.where
    assert error.hint


def test_a_hole_in_a_ragged_column_is_refused_but_its_end_is_not():
    """Oracle: the hole stands in row 9, and the column goes on in row 10."""
    error = refused(b"1,2,3\n4,,6\n7,8,\n", RAGGED)
    assert error.code == "KD_BAD_CELL"
    assert "row 9, column 2 (b)" in error.where
    assert "goes on" in error.message


@pytest.mark.parametrize("layout", [ABC, RAGGED])
@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=12))
def test_the_same_hole_is_named_whatever_the_chunks(layout, present):
    """Oracle: the table in one chunk; every row alone, and some rows at a time."""
    body = "".join(",".join("7" if cell else "" for cell in row) + "\n" for row in present)

    def outcome(chunk_bytes):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(table, "_CHUNK_BYTES", chunk_bytes)
            try:
                return [column.tolist() for column in parse_numbers(body.encode(), layout)]
            except KdEdgeError as error:
                return error.code, error.message, error.where

    assert outcome(1) == outcome(9) == outcome(1000)


def test_no_rows_give_empty_columns():
    """Oracle: a header without numbers."""
    assert [len(c) for c in parse_numbers(b"", ABC)] == [0, 0, 0]
    assert [len(c) for c in parse_numbers(b"\r\n\n", ABC)] == [0, 0, 0]


def test_rows_of_blanks_alone_are_empty_cells():
    """Oracle: one column; pandas finds nothing to parse there."""
    rows = TableLayout("f.csv", ["a"], 8)
    assert "row 8, column 1 (a)" in refused(b" \n \n", rows).where
    assert [len(c) for c in parse_numbers(b" \n \n", replace(rows, ragged=True))] == [0]


@pytest.mark.parametrize(
    "rows", [b"1,2,3\n4\n", b"1,2,3,,\n4,,,\n", b"1,2,3\r\n4,,\r\n", b"1,2,3,\n4,\n"]
)
def test_blank_ends_may_be_of_any_length_where_the_form_says_so(rows):
    """Oracle: 1, 2, 3 over 4; a cell that is not blank is refused all the same."""
    layout = replace(RAGGED, blank_ends=True)
    assert [c.tolist() for c in parse_numbers(rows, layout)] == [[1, 4], [2], [3]]
    assert refused(rows.replace(b"4", b"4,5,6,7"), layout).code == "KD_BAD_CELL"
