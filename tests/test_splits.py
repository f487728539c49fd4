"""Splits: who is on which side, and what is said about it."""

from __future__ import annotations

import numpy as np
import pytest

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals.recording import RecordingInfo
from kd_edge.splits import Split, check_duplicates, describe_leak, make_folds

VALIDATION = {"kind": "last-repetitions", "repetitions": 1}


def dataset(subjects=("S1", "S2", "S3"), sessions=("day 2", "day 10"), labels="ab", trials=4):
    return [
        RecordingInfo(
            name=f"{subject}/{session}/{label}{trial}",
            label=label,
            subject=subject,
            session=session,
            trial=trial,
            started=None,
            synthetic=False,
            content_sha256=f"{subject}{session}{label}{trial}",
        )
        for subject in subjects
        for session in sessions
        for label in labels
        for trial in range(trials)
    ]


def folds(recordings, *tests, validation=None):
    split = Split(test=tests, validation=validation or VALIDATION)
    return make_folds(recordings, split, seed=1)


LOSO = {"kind": "leave-one-subject-out", "held_out": ["S3"]}
LAST = {"kind": "last-repetitions", "repetitions": 2}
RANDOM = {"kind": "random", "fraction": 0.25}
SESSION = {"kind": "leave-session-out", "held_out": ["day 10"]}


@pytest.mark.parametrize("test", [LOSO, LAST, RANDOM, SESSION])
def test_parts_are_disjoint_and_cover_everything(test):
    recordings = dataset()
    (fold,) = folds(recordings, test)
    together = np.concatenate([part.indices for part in fold.parts])
    assert sorted(together) == list(range(len(recordings)))


def test_a_subject_left_out_is_on_one_side_only_and_nothing_leaks():
    recordings = dataset()
    (fold,) = folds(recordings, LOSO)
    assert {recordings[i].subject for i in fold.tests[0].indices} == {"S3"}
    assert "S3" not in {recordings[i].subject for i in fold.train.indices}
    assert fold.tests[0].leak is None


def test_each_subject_in_turn_makes_a_fold():
    found = folds(dataset(), {"kind": "leave-one-subject-out", "held_out": "each"})
    assert [fold.name for fold in found] == ["without S1", "without S2", "without S3"]


def test_the_next_one_validates_and_the_last_is_followed_by_the_first():
    """Oracle: by hand; people count 2 before 10."""
    people = dataset(subjects=("S10", "S2", "S1"))
    each = {"kind": "leave-one-subject-out", "held_out": "each"}
    found = folds(people, each, validation={"kind": each["kind"], "held_out": "next"})
    for fold, (test, validation) in zip(
        found, (("S1", "S2"), ("S2", "S10"), ("S10", "S1")), strict=True
    ):
        assert fold.held_out == test
        assert {people[i].subject for i in fold.tests[0].indices} == {test}
        assert {people[i].subject for i in fold.validation.indices} == {validation}


def test_later_sessions_are_all_but_each_subjects_first():
    """Oracle: by hand; 'day 10' comes after 'day 2', and one subject began on another day."""
    recordings = [*dataset(subjects=("S1",)), *dataset(("S2",), ("day 3", "day 4"))]
    (fold,) = folds(recordings, {"kind": "leave-session-out", "held_out": "later"})
    held = {(recordings[i].subject, recordings[i].session) for i in fold.tests[0].indices}
    assert held == {("S1", "day 10"), ("S2", "day 4")}


def test_a_fold_within_each_subject_holds_that_ones_recordings_alone():
    recordings = dataset()
    later = {"kind": "leave-session-out", "held_out": "later"}
    split = Split(test=(later,), validation=VALIDATION, within="subject")
    found = make_folds(recordings, split, seed=1)
    assert [(fold.name, fold.held_out) for fold in found] == [
        ("S1 alone", "S1"),
        ("S2 alone", "S2"),
        ("S3 alone", "S3"),
    ]
    for fold in found:
        together = np.concatenate([part.indices for part in fold.parts])
        assert {recordings[i].subject for i in together} == {fold.held_out}
        assert len(together) == len(recordings) / 3
        assert fold.tests[0].leak == "the same subject on both sides, another session"


def test_a_pattern_holds_out_every_name_like_it_and_a_name_that_is_there_itself():
    """Oracle: by hand; the brackets of a name that is there are no pattern."""
    recordings = dataset(subjects=("S1", "S2", "T1", "[ST]2"))
    for held_out, taken in ((["S*"], {"S1", "S2"}), (["[ST]2"], {"[ST]2"}), (["s*"], None)):
        part = {"kind": "leave-one-subject-out", "held_out": held_out}
        if taken is None:
            with pytest.raises(KdEdgeError, match="holds out 's\\*'"):
                folds(recordings, part)
            continue
        (fold,) = folds(recordings, part)
        assert {recordings[i].subject for i in fold.tests[0].indices} == taken


EACH = {"kind": "leave-one-subject-out", "held_out": "each"}
NEXT = {"kind": "leave-one-subject-out", "held_out": "next"}


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ({"test": [LOSO], "validation": NEXT}, "there is no such part"),
        ({"test": [{**EACH, "kind": "leave-session-out"}], "validation": NEXT}, "no such part"),
        ({"test": [EACH, NEXT], "validation": VALIDATION}, "'next' is for validation"),
        ({"test": [LOSO], "validation": EACH}, "'each' is for a test part"),
        ({"test": [{**LOSO, "held_out": "later"}], "validation": VALIDATION}, "later sessions"),
        ({"test": [EACH], "validation": VALIDATION, "within": "subject"}, "of that one alone"),
        ({"test": [SESSION], "validation": LOSO, "within": "subject"}, "of that one alone"),
    ],
)
def test_a_split_that_cannot_be_is_refused_with_its_reason(split, said):
    with pytest.raises(KdEdgeError, match=said):
        Split(**split)


def test_last_repetitions_follow_sessions_in_their_natural_order():
    """Oracle: 'day 10' comes after 'day 2'."""
    recordings = dataset(subjects=("S1",))
    (fold,) = folds(recordings, LAST)
    held = [recordings[i] for i in fold.tests[0].indices]
    assert {(r.session, r.trial) for r in held} == {("day 10", 2), ("day 10", 3)}


def test_every_leak_is_named_and_the_honest_part_comes_first():
    (fold,) = folds(dataset(trials=8), RANDOM, SESSION, LAST, LOSO)
    assert [part.kind for part in fold.tests] == [
        "leave-one-subject-out",
        "leave-session-out",
        "last-repetitions",
        "random",
    ]
    leaks = [part.leak for part in fold.tests]
    assert leaks[0] is None
    assert "same subject" in leaks[1]
    assert "session on both sides" in leaks[2]
    assert leaks[3].startswith("random split")


def test_a_random_split_is_the_same_for_the_same_seed_and_takes_its_share_of_each_class():
    recordings = dataset()
    (one,), (two,) = folds(recordings, RANDOM), folds(recordings, RANDOM)
    np.testing.assert_array_equal(one.tests[0].indices, two.tests[0].indices)
    counts = np.unique([recordings[i].label for i in one.tests[0].indices], return_counts=True)[1]
    assert list(counts) == [6, 6]


@pytest.mark.parametrize(("fraction", "taken"), [(0.09, 1), (0.25, 1), (0.6, 3)])
def test_a_random_part_takes_one_recording_of_a_class_at_least_and_none_twice(fraction, taken):
    """Oracle: five recordings of each of three classes, times the fraction, rounded."""
    recordings = dataset(subjects=("S1",), sessions=("day 1",), labels="abc", trials=5)
    test, validation = ({"kind": "random", "fraction": f} for f in (fraction, 0.01))
    (fold,) = folds(recordings, test, validation=validation)
    indices = fold.tests[0].indices
    assert len(set(indices)) == len(indices)
    assert sorted(recordings[i].label for i in indices) == sorted("abc" * taken)


def test_one_class_only_is_refused():
    with pytest.raises(KdEdgeError) as caught:
        folds(dataset(labels="a"), LAST)
    assert caught.value.code == "KD_ONE_CLASS"
    assert caught.value.message.endswith("one class only: a")


def test_a_class_that_training_never_sees_is_named():
    recordings = [r for r in dataset() if r.label == "a" or r.subject == "S3"]
    with pytest.raises(KdEdgeError) as caught:
        folds(recordings, LOSO)
    assert caught.value.code == "KD_CLASS_NOT_IN_TRAINING"
    assert caught.value.where == "b"


def test_a_held_out_name_that_the_data_lack_shows_the_nearest():
    with pytest.raises(KdEdgeError) as caught:
        folds(dataset(), {"kind": "leave-session-out", "held_out": ["day 1"]})
    assert "did you mean" in caught.value.message
    assert caught.value.hint == "there are 'day 10', 'day 2'"


def test_an_empty_part_is_refused():
    with pytest.raises(KdEdgeError) as caught:
        folds(dataset(), {"kind": "last-repetitions", "repetitions": 99})
    assert caught.value.code == "KD_EMPTY_PART"


def test_training_may_hold_the_validation_part_and_nothing_of_the_tests():
    """Oracle: the same split without it."""
    recordings = dataset()
    (apart,) = folds(recordings, SESSION)
    split = Split(test=(SESSION,), validation=VALIDATION, train_on_validation=True)
    (fold,) = make_folds(recordings, split, seed=1)
    assert (apart.validates, fold.validates) == (True, False)
    expected = sorted([*apart.train.indices, *apart.validation.indices])
    assert fold.train.indices.tolist() == fold.learned.tolist() == expected
    assert fold.validation.indices.tolist() == apart.validation.indices.tolist()
    assert "learn from it too" in fold.validation.leak
    np.testing.assert_array_equal(fold.tests[0].indices, apart.tests[0].indices)
    assert fold.tests[0].leak == apart.tests[0].leak


def test_a_class_may_have_its_only_recordings_in_a_validation_part_that_trains():
    recordings = dataset(subjects=("S1", "S2"))
    left = [r for r in recordings if (r.subject, r.label) != ("S1", "b") or r.session == "day 10"]
    validation = {"kind": "leave-one-subject-out", "held_out": ["S2"]}
    with pytest.raises(KdEdgeError) as caught:
        folds(left, SESSION, validation=validation)
    assert caught.value.code == "KD_CLASS_NOT_IN_TRAINING"
    split = Split(test=(SESSION,), validation=validation, train_on_validation=True)
    (fold,) = make_folds(left, split, seed=1)
    assert {left[i].label for i in fold.train.indices} == {"a", "b"}


def test_a_copy_of_a_validation_recording_stops_the_build_only_where_another_side_has_it():
    recordings = dataset(subjects=("S1",))
    split = Split(test=(LAST,), validation=VALIDATION, train_on_validation=True)
    (fold,) = make_folds(recordings, split, seed=1)
    validating = fold.validation.indices[0]
    labels = [recording.label for recording in recordings]
    own = next(i for i in fold.train.indices if i != validating and labels[i] == labels[validating])
    check_duplicates(copy_of(recordings, validating, own), [fold])
    with pytest.raises(KdEdgeError, match="both sides"):
        check_duplicates(copy_of(recordings, validating, fold.tests[0].indices[0]), [fold])


def copy_of(recordings, source, target):
    content = recordings[source].content_sha256
    return [
        RecordingInfo(**{**vars(r), "content_sha256": content}) if i == target else r
        for i, r in enumerate(recordings)
    ]


def test_identical_recordings_on_both_sides_stop_the_build_with_their_names():
    recordings = dataset(subjects=("S1",))
    (fold,) = folds(recordings, LAST)
    doubled = copy_of(recordings, fold.train.indices[0], fold.tests[0].indices[0])
    with pytest.raises(KdEdgeError) as caught:
        check_duplicates(doubled, [fold])
    assert caught.value.code == "KD_DUPLICATES"
    assert doubled[fold.tests[0].indices[0]].name in caught.value.where


def test_identical_recordings_under_two_subjects_stop_the_build():
    recordings = dataset()
    other = next(i for i, r in enumerate(recordings) if r.subject == "S2")
    fold = folds(recordings, LAST)[0]
    with pytest.raises(KdEdgeError, match="different subjects"):
        check_duplicates(copy_of(recordings, 0, other), [fold])


def test_images_of_one_drive_on_both_sides_are_leaky_whatever_their_folders():
    """Oracle: by hand; a drive that is held out whole leaks nothing."""
    frames = [
        RecordingInfo(f"{drive}/{at}", None, drive, part, 0, None, False, f"{drive}{at}", "image")
        for drive, part, n in (("A", "train", 4), ("A", "test", 2), ("B", "train", 3))
        for at in (f"{part}{i}" for i in range(n))
    ]
    of_b = {"kind": "leave-one-subject-out", "held_out": ["B"]}
    later = {"kind": "leave-session-out", "held_out": ["test"]}
    (fold,) = folds(frames, of_b, later)
    honest, leaky = fold.tests
    assert (honest.kind, honest.leak, honest.leaky) == ("leave-one-subject-out", None, False)
    assert leaky.leaky
    assert leaky.leak.startswith("other images of A on the other side")


def test_three_copies_that_stand_last_are_all_named():
    """Oracle: by hand; recordings that stand once come before them."""
    recordings = dataset(subjects=("S1",))
    (fold,) = folds(recordings, LAST)
    places = [*fold.train.indices[-2:], fold.tests[0].indices[-1]]
    for target in places[1:]:
        recordings = copy_of(recordings, places[0], target)
    with pytest.raises(KdEdgeError, match="3 recordings hold the same samples") as caught:
        check_duplicates(recordings, [fold])
    assert caught.value.where.split("; ") == [recordings[i].name for i in sorted(places)]


def test_copies_on_one_side_of_one_subject_are_no_error():
    recordings = dataset(subjects=("S1",))
    (fold,) = folds(recordings, LAST)
    first, second = fold.train.indices[:2]
    check_duplicates(copy_of(recordings, first, second), [fold])


def test_an_empty_part_is_named_by_its_place_not_by_a_kind_that_two_parts_share():
    """Oracle: four trials, of which the test part takes all."""
    greedy = {"kind": "last-repetitions", "repetitions": 8}
    with pytest.raises(KdEdgeError) as caught:
        folds(dataset(), greedy)
    assert caught.value.code == "KD_EMPTY_PART"
    assert caught.value.where == "split.validation"
    assert "left 0 of 48" in caught.value.message


def test_a_held_out_name_that_is_not_there_is_told_with_the_part_that_holds_it_out():
    for test, validation, where in (
        ({**LOSO, "held_out": ["S9"]}, None, "split.test.0.held_out"),
        (LOSO, LOSO, "split.validation.held_out"),
        ({**LOSO, "held_out": ["S9"]}, {**LOSO, "held_out": ["S9"]}, "split.test.0.held_out"),
    ):
        with pytest.raises(KdEdgeError) as caught:
            folds(dataset(), test, validation=validation)
        assert caught.value.where == where


def test_the_worse_a_leak_the_later_its_part():
    """Oracle: what an optimist can read into the figure, in words."""
    known = dataset(subjects=("S1",), sessions=("day 1",), trials=1)
    again = dataset(subjects=("S1",), sessions=("day 1",), trials=2)[1::2]
    other_day = dataset(subjects=("S1",), sessions=("day 2",), trials=1)
    stranger = dataset(subjects=("S2",), sessions=("day 1",), trials=1)
    found = [
        describe_leak(known, tested, kind)
        for tested, kind in (
            (stranger, "leave-one-subject-out"),
            (other_day, "leave-session-out"),
            (again, "last-repetitions"),
            (again, "random"),
            (known, "random"),
        )
    ]
    ranks = [rank for _, rank in found]
    assert ranks[0] == 0
    assert ranks == sorted(set(ranks))
    assert found[0][0] is None
    assert [leak.partition(" ")[0] for leak, _ in found[1:]] == ["the", "the", "random", "2"]
    assert found[-1][0] == "2 recordings lie on both sides"


def test_other_recordings_are_not_called_later_repetitions():
    """Oracle: nothing says when recordings were made that no split has cut from the rest."""
    learned, tested = dataset(trials=1), [r for r in dataset(trials=2) if r.trial == 1]
    leak, _ = describe_leak(learned, tested, "other data")
    assert leak == "the same subject and session on both sides"
    leak, _ = describe_leak(learned, tested, "last-repetitions")
    assert leak == "the same subject and session on both sides, later repetitions"
