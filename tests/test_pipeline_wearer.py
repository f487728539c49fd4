"""A recipe that follows its wearers, from the build to a loaded bundle and an emulated board."""

from __future__ import annotations

import json

import numpy as np
import pytest
from build_samples import RECIPE
from programs import need

import kd_edge
from kd_edge.cli import run
from kd_edge.pipeline.build import build
from kd_edge.recipe import parse_recipe

SIGNS = ["--signs", "3", "--subjects", "3", "--repetitions", "6", "--sensors", "1"]
ADAPT = (
    RECIPE.replace(
        "envelope_hz = 8.0\n",
        "envelope_hz = 8.0\nlog = true\nlsb = 1.7e-4\nadapt = { weight_windows = 2 }\n",
    )
    .replace("[front_end.acc]", "[front_end.acc]\nlsb = 2e-4")
    .replace("[front_end.gyr]", "[front_end.gyr]\nlsb = 0.02")
    .replace(
        """reader = "synthetic"
unknown_classes = ["sign 04"]
options = { n_signs = 4, n_subjects = 3, n_repetitions = 10, n_sensors = 1 }
""",
        'reader = "folder"\n',
    )
)
ORDERS = ("shuffled", "one class at a time", "cold start")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(bundle, report, recordings)."""
    assert "adapt" in ADAPT
    assert "folder" in ADAPT
    place = tmp_path_factory.mktemp("wearer")
    data, out = place / "signs", place / "out"
    assert run(["data", "simulate", str(data), *SIGNS]) == 0
    done = build(parse_recipe(ADAPT), data=data, out=out, command="test")
    assert not done.failures
    return out, done.report, data


def test_the_report_shows_other_orders_beside_the_plain_figure(built):
    """Oracle: the recipe: two test parts, three further orders of each."""
    _, report, _ = built
    names = {part.name: part for part in report.parts if part.role == "test"}
    assert set(names) == {
        name
        for part in ("unseen person", "random split")
        for name in (part, *(f"{part}, {order}" for order in ORDERS))
    }
    assert len({part.n_windows for n, part in names.items() if n.startswith("unseen")}) == 1
    rows = [row for row in report.rows if row.role in ("student", "baseline")]
    assert {row.role for row in rows} == {"student", "baseline"}
    for row in rows:
        assert set(names) <= set(row.accuracy)


def test_other_recordings_are_measured_in_other_orders_too(built, capsys):
    """Oracle: the loaded bundle, which is told when somebody puts the sensors on."""
    out, _, data = built
    assert run(["bench", str(out), "--data", str(data), "--runs", "20", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    parts = [part["name"] for part in report["parts"]]
    assert parts == [f"other data: {data.name}", *(f"other data: {data.name}, {o}" for o in ORDERS)]
    rows = {row["role"]: row for row in report["rows"]}
    for role in ("student", "baseline"):
        assert list(rows[role]["accuracy"]) == parts
    (row,) = (
        row
        for row in report["rows"]
        if (row["role"], row["format"], row["runtime"]) == ("student", "int8", "tflm")
    )
    product, recordings = kd_edge.load(out), kd_edge.read(data)

    def right(of, *, alone) -> int:
        """How many recordings are answered rightly, one after the other or each by itself."""
        product.wearer.reset()
        found = 0
        for recording in of:
            if alone:
                product.wearer.reset()
            said = product.predict(recording)
            found += said.class_names[said.decided[0]] == recording.label
        return found

    people = sorted({recording.subject for recording in recordings})
    classes = sorted({recording.label for recording in recordings})
    own = {each: [r for r in recordings if r.subject == each] for each in people}
    expected = {
        "one class at a time": sum(
            right([r for r in own[each] if r.label == label], alone=False)
            for each in people
            for label in classes
        ),
        "cold start": right(recordings, alone=True),
    }
    for order, n_right in expected.items():
        figure = row["accuracy"][f"{parts[0]}, {order}"]
        assert figure["n_windows"] == len(recordings)
        # A board has 16-bit counts, and training has not: near ties may fall otherwise.
        assert abs(figure["accuracy"] * len(recordings) - n_right) <= 1


def test_a_loaded_bundle_learns_its_wearer_from_recording_to_recording(built):
    """Oracle: it says of recordings what it said before, once the sensors are put on again."""
    out, _, data = built
    product = kd_edge.load(out)
    recordings = kd_edge.read(data)[:6]

    def said() -> np.ndarray:
        return np.concatenate([product.predict(recording).raw for recording in recordings])

    first, later = said(), said()
    assert not np.array_equal(first, later)
    product.wearer.reset()
    np.testing.assert_array_equal(said(), first)


@pytest.mark.qemu
def test_a_board_follows_the_wearers_of_other_recordings(built, tmp_path, capsys):
    """Oracle: TFLite Micro on what Python's front end makes of the same windows, bit for bit."""
    need("arm-none-eabi-gcc", "qemu-system-arm")
    out, _, data = built
    asked = ["eval", str(out), "--board", "qemu-an386", "--windows", "raw", "--data", str(data)]
    assert run([*asked, "--limit", "30", "--out", str(tmp_path / "eval"), "--json"]) == 0
    (section,) = json.loads(capsys.readouterr().out)["boards"]
    (oracle,) = [each for each in section["agreement"] if each["runtime"] == "tflm"]
    assert (section["n_answered"], oracle["same_scores"]) == (30, 30)


def test_several_boards_cannot_share_one_wearers_windows(built, tmp_path, capsys):
    need("gcc")
    out, _, data = built
    asked = ["eval", str(out), "--board", "host", "--board", "host", "--windows", "raw"]
    assert run([*asked, "--data", str(data), "--out", str(tmp_path / "eval")]) == 2
    assert "must see all of a wearer's raw windows on one board" in capsys.readouterr().err
