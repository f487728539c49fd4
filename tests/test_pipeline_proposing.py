"""`kd-edge init`: a recipe from what recordings say, which loads, splits, cuts and builds.

Oracles: the recipe's own parser, the splits' and windows' own functions, a build, public sets.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("keras")

from eager import without_graphs

from kd_edge.base.errors import KdEdgeError
from kd_edge.cli import run
from kd_edge.pipeline.build import build
from kd_edge.pipeline.names import check_names
from kd_edge.pipeline.proposing.propose import propose
from kd_edge.pipeline.proposing.text import Block, Line, to_text
from kd_edge.pipeline.raw_windows import RAW_FILE
from kd_edge.recipe import load_recipe, parse_recipe
from kd_edge.signals import read
from kd_edge.signals.convert import WRITERS, write_folder
from kd_edge.signals.recording import Recording, Stream

CHANCE = np.random.default_rng(2)


def stream(kind: str, rate_hz: float, n_channels: int, length_s: float, unit: str) -> Stream:
    n = int(length_s * rate_hz)
    axes = "XYZ" if n_channels == 3 else range(1, n_channels + 1)
    samples = CHANCE.normal(size=(n, n_channels)).astype("f4")
    return Stream(kind, "", tuple(f"{kind} {a}" for a in axes), samples, rate_hz, unit)


def recordings(
    *, subjects=("A", "B", "C"), sessions=("day 1",), repetitions=4, labels=("yes", "no"),
    length_s=2.0, kinds=(("emg", 1000.0, 4, "mV"), ("acc", 100.0, 3, "g")),
) -> list[Recording]:  # fmt: skip
    return [
        Recording(
            tuple(stream(k, hz, n, length_s, unit) for k, hz, n, unit in kinds),
            f"{subject} {session} {label} {trial}", label, subject, session, trial,
        )
        for subject in subjects for session in sessions
        for label in labels for trial in range(repetitions)
    ]  # fmt: skip


def proposed(made: list[Recording], tmp_path):
    done = propose(made, reader="folder", options={}, data=tmp_path / "r", out=tmp_path / "m.toml")
    assert parse_recipe(done.text) == done.recipe
    parse_recipe(done.text, quick=True)
    check_names(done.recipe)
    return done


def test_every_line_of_a_proposal_says_why(tmp_path):
    text = proposed(recordings(), tmp_path).text
    rows = text.splitlines()
    keys = [i for i, row in enumerate(rows) if " = " in row and not row.startswith("#")]
    assert len(keys) > 40
    assert [rows[i] for i in keys if not rows[i - 1].startswith("# ")] == []
    assert max(len(row) for row in rows if row.startswith("#")) <= 100


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ({}, ("leave-one-subject-out", "leave-one-subject-out")),
        ({"subjects": ("A", "B")}, ("leave-one-subject-out", "last-repetitions")),
        ({"subjects": ("A",), "sessions": ("d1", "d2")}, ("leave-session-out", "last-repetitions")),
        ({"subjects": ("",), "repetitions": 6}, ("last-repetitions", "last-repetitions")),
    ],
)
def test_the_split_is_the_most_honest_that_the_recordings_allow(options, kinds, tmp_path):
    done = proposed(recordings(**options), tmp_path)
    assert (done.recipe.split.test[0].kind, done.recipe.split.validation.kind) == kinds


def test_a_day_of_other_signs_is_not_held_out_from_those_that_have_them(tmp_path):
    """Oracle: the Italian alphabet's trap: two days with half the signs each, a third with all."""
    made = recordings(subjects=("A",), labels=("a", "b"), sessions=("1",))
    made += recordings(subjects=("A",), labels=("c", "d"), sessions=("2",))
    split = proposed(made, tmp_path).split
    assert (split.name, "not another day" in split.refused[0].lower().replace("'", "")) == (
        "last repetitions",
        True,
    )
    made += recordings(subjects=("A",), labels=("a", "b", "c", "d"), sessions=("3",))
    assert proposed(made, tmp_path).recipe.split.test[0].held_out == ("3",)


def test_modalities_share_an_input_where_a_filter_leads_to_one_rate(tmp_path):
    done = proposed(recordings(), tmp_path)
    assert done.recipe.windows.inputs == {"all": ("emg", "acc")}
    assert done.recipe.front_end["emg"].rate_hz == 100
    odd = (("emg", 1000.0, 4, "mV"), ("acc", 61.7, 3, "g"))
    apart = proposed(recordings(kinds=odd), tmp_path)
    assert set(apart.recipe.windows.inputs) == {"emg", "acc"}
    alone = proposed(recordings(kinds=(("acc", 200.0, 3, "g"),)), tmp_path)
    assert alone.recipe.front_end["acc"].rate_hz == 50


def test_long_recordings_are_cut_into_windows_that_overlap(tmp_path):
    windows = proposed(recordings(length_s=10.0), tmp_path).recipe.windows
    assert (windows.length_s, windows.hop_s) == (2.0, 1.0)
    whole = proposed(recordings(length_s=1.87), tmp_path).recipe.windows
    assert (whole.length_s, whole.hop_s) == (1.8, None)


def test_mains_hum_is_heard(tmp_path):
    """Oracle: a sine of 60 Hz that was added."""
    made = recordings()
    hum = np.sin(2 * np.pi * 60 * np.arange(2000) / 1000)[:, None].astype("f4")
    loud = [
        replace(
            r, streams=(replace(r.streams[0], samples=r.streams[0].samples + hum), r.streams[1])
        )
        for r in made
    ]
    assert proposed(made, tmp_path).recipe.front_end["emg"].notch_hz == ()
    assert proposed(loud, tmp_path).recipe.front_end["emg"].notch_hz == (60.0,)


def counted(made: list[Recording], scale: float = 1000.0, **more) -> list[Recording]:
    """The recordings as a converter gives them: whole numbers."""
    return [
        replace(
            r,
            streams=tuple(
                replace(s, samples=np.rint(scale * s.samples), unit="", **more) for s in r.streams
            ),
        )
        for r in made
    ]


def sizes_of_counts(made, tmp_path):
    return {name: front.lsb for name, front in proposed(made, tmp_path).recipe.front_end.items()}


def test_the_size_of_a_count_is_proposed_where_samples_are_counts(tmp_path):
    """Oracle: samples that were made whole, and sizes that the streams state."""
    made = recordings()
    assert sizes_of_counts(made, tmp_path) == {"emg": None, "acc": None}
    assert sizes_of_counts(counted(made), tmp_path) == {"emg": 1.0, "acc": 1.0}
    stated = counted(made, lsb=0.125)
    assert sizes_of_counts(stated, tmp_path) == {"emg": 0.125, "acc": 0.125}
    for none in (0.0, -0.5):  # as a file may say
        assert sizes_of_counts(counted(made, lsb=none), tmp_path) == {"emg": 1.0, "acc": 1.0}
    text = proposed(stated, tmp_path).text
    assert text.count("The recordings state it") == 2


@pytest.mark.parametrize("other", [{"scale": 40_000.0}, {"lsb": 0.5}])
def test_no_size_of_a_count_is_proposed_if_one_recording_speaks_against_it(other, tmp_path):
    """One recording has values above 16 bits, or states another size."""
    made = recordings()
    mixed = [*counted(made[:-1]), *counted(made[-1:], **other)]
    assert sizes_of_counts(mixed, tmp_path) == {"emg": None, "acc": None}


def test_what_only_some_recordings_have_is_left_out_and_said(tmp_path):
    made = recordings()
    made[3] = replace(made[3], streams=made[3].streams[:1])
    other = replace(made[5].streams[0], channels=("emg 1", "emg 2", "emg 3", "emg 9"))
    made[5] = replace(made[5], streams=(other, *made[5].streams[1:]))
    done = proposed(made, tmp_path)
    assert set(done.recipe.front_end) == {"emg"}
    assert done.recipe.front_end["emg"].channels == ("emg 1", "emg 2", "emg 3")
    assert "Not taken: 'acc' (1 of 24 recordings have none)" in done.text.replace("\n# ", " ")


def test_a_stuck_channel_is_allowed_in_words_and_another_fault_stops(tmp_path):
    made = recordings()
    still = made[0].streams[0].samples.copy()
    still[:, 1] = 0.5
    stuck = replace(made[0].streams[0], samples=still)
    made[0] = replace(made[0], streams=(stuck, *made[0].streams[1:]))
    done = proposed(made, tmp_path)
    assert done.recipe.dataset.allow_stuck
    assert "stuck channel" in done.text
    made[1] = replace(made[9], subject="A", label="no")  # a copy under another name
    with pytest.raises(KdEdgeError) as caught:
        proposed(made, tmp_path)
    assert caught.value.code == "KD_DUPLICATES"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"label": None}, "KD_LABELS"),
        ({"label": "yes"}, "KD_ONE_CLASS"),
    ],
)
def test_recordings_that_say_no_signs_are_refused(change, code, tmp_path):
    made = [replace(r, **change) for r in recordings()]
    with pytest.raises(KdEdgeError) as caught:
        proposed(made, tmp_path)
    assert caught.value.code == code


def test_names_from_files_break_no_line_of_the_recipe(tmp_path):
    nasty = 'a"]\n[dataset]\nreader = "x'
    made = recordings(subjects=(nasty, "ü\x7f", "C"), labels=("yes'", 'n"\\o\t'))
    done = proposed(made, tmp_path)
    tables = tomllib.loads(done.text)
    assert tables["quick"]["dataset"]["classes"] == sorted(["yes'", 'n"\\o\t'])
    assert tables["quick"]["split"]["test"][0]["held_out"][0] in {r.subject for r in made}
    text = to_text("one\ntwo\x1b", [Block("", (Line("a", [{"b c": 1}], "x\ny = 2"),))])
    assert tomllib.loads(text) == {"a": [{"b c": 1}]}


@pytest.mark.parametrize(
    ("name", "classes", "test"),
    [
        ("myo_pjm", 18, "unseen person"),
        ("isl_alphabet_myo", 26, "another day"),
    ],
)
def test_public_sets_get_the_split_that_their_recipes_have(
    name, classes, test, shared_data, tmp_path, capsys
):
    """Oracle: recipes/pjm.toml and recipes/isl-alphabet.toml, which people wrote."""
    assert run(["init", str(shared_data(name)), "--out", str(tmp_path / "mine.toml")]) == 0
    recipe = load_recipe(tmp_path / "mine.toml")
    assert recipe.split.test[0].name == test
    assert {"emg", "acc", "gyr"} == set(recipe.front_end)
    assert {front.rate_hz for front in recipe.front_end.values()} <= {50.0, None}
    assert f"{classes} signs" in recipe.summary


def test_unlabelled_exports_are_refused_with_what_to_write(shared_data, tmp_path, capsys):
    status = run(["init", str(shared_data("delsys_exports")), "--out", str(tmp_path / "m.toml")])
    assert (status, "labels.csv" in capsys.readouterr().err) == (3, True)
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_of_ones_own_is_never_overwritten(tmp_path, capsys):
    (tmp_path / "mine.toml").write_text("mine")
    assert run(["init", str(tmp_path), "--out", str(tmp_path / "mine.toml")]) == 3
    assert (tmp_path / "mine.toml").read_text() == "mine"


@pytest.mark.slow
def test_a_proposal_builds(tmp_path, converter, cache, capsys):
    """Oracle: a bundle, from files written and read again, with blanks in their path.

    Their samples are counts, and so a board can take them.
    """
    made = counted(recordings(repetitions=9, length_s=0.6, kinds=(("acc", 50.0, 3, "g"),)))
    folder = tmp_path / "my recordings"
    write_folder(made, folder, WRITERS["npz"])
    assert run(["init", str(folder), "--out", str(tmp_path / "mine.toml")]) == 0
    text = (tmp_path / "mine.toml").read_text(encoding="utf-8")
    few = text.replace("epochs = 10\n", "epochs = 1\n").replace("epochs = 3\n", "epochs = 1\n")
    (tmp_path / "few.toml").write_text(few, encoding="utf-8")
    recipe = load_recipe(tmp_path / "few.toml", quick=True)
    data = tmp_path / recipe.dataset.path
    assert [r.label for r in read(data)] == [r.label for r in made]
    with without_graphs():
        build(recipe, data=data, out=tmp_path / "out", command="")
    assert (tmp_path / "out" / "student.int8.tflite").stat().st_size > 1000
    assert (tmp_path / "out" / RAW_FILE).exists()
