"""The report as JSON: there and back, its schema, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest
from report_samples import full_report

from kd_edge.base.errors import KdEdgeError
from kd_edge.report.json import from_json, json_schema, to_json
from kd_edge.report.tree import Curve


@pytest.fixture(scope="module")
def report():
    return full_report(n_classes=5)


def test_a_report_comes_back_from_json_as_it_was(report):
    """Oracle: dataclass equality, floats and tuples included."""
    assert from_json(to_json(report)) == report


def test_every_float_keeps_all_its_digits(report):
    """Oracle: a third, which no short decimal equals, compared exactly."""
    curve = Curve("m", (1 / 3, 1e-300), (0.1 + 0.2,), (None,), (None,), (5e-324,))
    again = from_json(to_json(replace(report, curves=(curve,))))
    assert again.curves == (curve,)


def test_text_in_any_script_and_with_quotes_survives(report):
    title = 'नमस्ते "quoted" \\ <b>\n\u2028'
    assert from_json(to_json(replace(report, title=title))).title == title


def test_the_report_fits_its_schema(report):
    """Oracle: the jsonschema package, draft 2020-12."""
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(to_json(report)), schema)


def test_the_schema_refuses_a_missing_figure_and_a_wrong_type(report):
    for key, value in (("rows", None), ("synthetic", "yes"), ("schema_version", 99)):
        broken = json.loads(to_json(report)) | {key: value}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, json_schema())


def test_unknown_is_null_and_never_zero(report):
    """Oracle: the tree's own Nones, read back by the standard library's parser."""
    rows = json.loads(to_json(report))["rows"]
    teacher = next(row for row in rows if row["role"] == "teacher")
    assert (teacher["size"], teacher["latency"], teacher["arena"]) == (None, None, None)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_figure_that_is_not_a_number_is_refused_by_its_place(report, bad):
    curve = replace(report.curves[0], loss=(1.0, bad))
    with pytest.raises(ValueError, match=r"report\.curves\[0\]\.loss\[1\]"):
        to_json(replace(report, curves=(curve,)))


def test_rows_of_a_confusion_matrix_stand_on_one_line_each(report):
    row = next(iter(report.rows[0].accuracy.values())).confusion[0]
    assert json.dumps(list(row)) in to_json(report)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", "3"])
def test_what_is_no_report_is_said_to_be_none(text):
    with pytest.raises(KdEdgeError, match="not a kd-edge report") as caught:
        from_json(text)
    assert caught.value.code == "KD_BAD_FORMAT"


def test_another_schema_version_is_named(report):
    text = to_json(report).replace('"schema_version": 2', '"schema_version": 1', 1)
    with pytest.raises(KdEdgeError, match="version 1") as caught:
        from_json(text)
    assert caught.value.code == "KD_BUNDLE_VERSION"


def test_an_altered_report_names_the_place_that_does_not_fit(report):
    altered = json.loads(to_json(report))
    altered["rows"][0]["accuracy"] = "high"
    with pytest.raises(KdEdgeError) as caught:
        from_json(json.dumps(altered))
    assert caught.value.code == "KD_BAD_FORMAT"
    assert caught.value.where == "report.json, rows.0.accuracy"
