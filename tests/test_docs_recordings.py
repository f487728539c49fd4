"""docs/recordings.md: its examples are read as it says. Oracle: the readers."""

from __future__ import annotations

import re

import numpy as np
import pytest

from kd_edge.pipeline import store
from kd_edge.signals import READERS, read, sane, source, table


@pytest.fixture(scope="module")
def text(pytestconfig):
    return (pytestconfig.rootpath / "docs" / "recordings.md").read_text(encoding="utf-8")


def test_the_examples_together_are_a_folder_that_is_read(text, tmp_path, monkeypatch):
    labels, plain = re.findall(r"```csv\n(.*?)```", text, re.DOTALL)
    (script,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "labels.csv").write_text(labels)
    (tmp_path / "trial_07.csv").write_text(plain)
    monkeypatch.chdir(tmp_path)
    exec(script, {})
    house, tree = read(tmp_path)
    assert [s.modality for s in house.streams] == ["emg", "acc"]
    assert (house.label, house.streams[0].unit, house.streams[0].rate_hz) == ("house", "mV", 200)
    np.testing.assert_allclose(house.streams[0].samples, [[0.012, -0.004], [0.009, 0.001]])
    assert [(s.modality, s.rate_hz) for s in tree.streams] == [("emg", 200), ("acc", 50)]
    assert tree.streams[0].channels == ("emg_1", "emg_2")


def test_the_size_of_the_cache_is_the_one_that_is_written(pytestconfig):
    text = (pytestconfig.rootpath / "docs" / "cache.md").read_text(encoding="utf-8")
    assert f"holds up to {store.MOST_GB:g} GB" in text
    assert f"`{store.VARIABLE}` sets another size" in text


def test_the_bounds_are_those_that_are_written(text):
    flat = " ".join(text.split())
    assert f"may unpack to {source.UNPACKED_ALWAYS >> 20} MiB" in flat
    assert f"unpack to {source.UNPACKED_TIMES} times its size" in flat
    assert f"never to more than {source.UNPACKED_AT_MOST >> 30} GiB" in flat
    assert f"at most {table.MOST_COLUMNS:,} columns" in flat
    rows = dict(re.findall(r"\| ([^|]+) \| (1e\d+)[^|]*\|", text))
    found = {unit: float(rows[row]) for row in rows for unit in row.split(", ")}
    scale = {"mV": 1e3, "µV": 1e6, "mg": 1e3}
    for unit, largest in sane.LARGEST.items():
        assert found[unit] * scale.get(unit, 1) == largest
    assert found["any other"] == sane.LARGEST_IN_ANY_UNIT
    assert f"under {sane.SMALLEST:g}" in flat


def test_the_readers_of_delsys_files_are_those_that_are_written(text):
    assert set(re.findall(r"\| `(\S+-csv)` \|", text)) == {n for n in READERS if "-csv" in n}


def test_the_readers_of_other_programs_are_those_that_are_written(text):
    """Oracle: the readers that name their files' endings."""
    ours = {"csv", "npz"}
    named = {name for name, reader in READERS.items() if reader.endings} - ours
    assert set(re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE)) >= named
