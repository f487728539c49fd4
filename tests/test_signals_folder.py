"""Folders with labels.csv: what each row gives, and one message for each way to get it wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals import find_reader, folder, read

HEAD = "file,label,subject,session,trial,start,end\n"


@pytest.fixture
def root(tmp_path) -> Path:
    """Two recordings at 10 Hz: a.csv counts from 0 to 19, b.npz has two rates."""
    (tmp_path / "a.csv").write_text("# rate_hz = 10\nemg\n" + "".join(f"{i}\n" for i in range(20)))
    np.savez(
        tmp_path / "b.npz",
        emg=np.arange(20.0),
        acc=np.arange(10.0),
        **{"emg.rate_hz": 10.0, "acc.rate_hz": 5.0},
    )
    return tmp_path


def label(root: Path, *rows: str, head: str = HEAD) -> Path:
    (root / "labels.csv").write_text(head + "".join(f"{row}\n" for row in rows))
    return root


def refused(root: Path) -> KdEdgeError:
    with pytest.raises(KdEdgeError) as caught:
        folder.read(root)
    return caught.value


def test_rows_give_recordings_with_their_facts(root):
    """Oracle: the rows."""
    label(root, "a.csv,house,S1,am,0,,", "b.npz,tree,S2,pm,3,,")
    assert find_reader(root).name == "folder"
    first, second = read(root)
    assert (first.label, first.subject, first.session, first.trial) == ("house", "S1", "am", 0)
    assert (second.label, second.subject, second.session, second.trial) == ("tree", "S2", "pm", 3)
    assert [s.modality for s in second.streams] == ["emg", "acc"]


def test_start_and_end_cut_every_stream_at_its_own_rate(root):
    """Oracle: seconds times rate; from the start on, up to the end."""
    label(root, "b.npz,x,S1,a,0,0.5,1.2", "b.npz,x,S1,a,1,1.2,", "a.csv,x,S1,a,2,,0.3")
    first, second, third = folder.read(root)
    assert first.streams[0].samples[:, 0].tolist() == [5, 6, 7, 8, 9, 10, 11]
    assert first.streams[1].samples[:, 0].tolist() == [3, 4, 5]
    assert first.streams[1].start_s == pytest.approx(0.1)
    assert second.streams[0].samples[:, 0].tolist() == list(range(12, 20))
    assert third.streams[0].samples[:, 0].tolist() == [0, 1, 2]
    assert len({r.source for r in (first, second, third)}) == 3


def test_cutting_a_gap_away_makes_a_stream_even_again(root):
    """Oracle: times at 10 Hz with a second missing after 0.9 s."""
    times = [i / 10 for i in range(10)] + [1.9 + i / 10 for i in range(10)]
    (root / "g.csv").write_text("time,emg\n" + "".join(f"{t},{i}\n" for i, t in enumerate(times)))
    label(root, "g.csv,x,S1,a,0,,", "g.csv,x,S1,a,1,1.5,", "g.csv,x,S1,a,2,,0.9")
    whole, late, early = folder.read(root)
    assert whole.streams[0].times_s is not None
    assert late.streams[0].times_s is None
    assert late.streams[0].samples[:, 0].tolist() == list(range(10, 20))
    assert late.streams[0].start_s == pytest.approx(0.4)
    assert early.streams[0].times_s is None
    assert early.streams[0].n_samples == 9


def test_delsys_files_may_be_named_too(root, shared_data):
    """Oracle: 111 signals in the README of the data."""
    data = shared_data("delsys_exports")
    (root / "d.csv").write_bytes((data / "discover170.csv").read_bytes())
    label(root, "d.csv,house,S1,a,0,,")
    (recording,) = folder.read(root)
    assert sum(len(s.channels) for s in recording.streams) == 111
    assert recording.label == "house"


@pytest.mark.parametrize(
    ("rows", "head", "said", "row"),
    [
        (["c.csv,x,S,a,0,,"], HEAD, "no file c.csv (did you mean 'a.csv'", 2),
        (["a" * 400 + ".csv,x,S,a,0,,"], HEAD, "no file aaa", 2),
        (["a.csv,,S,a,0,,"], HEAD, "the cell 'label' is empty", 2),
        (["a.csv;x;S;a;0"], "file;label;subject;session;trial\n", "separated by ','", 1),
        (["a.csv\tx"], "file\tlabel\n", "separated by ','", 1),
        ([",x,S,a,0,,"], HEAD, "the cell 'file' is empty", 2),
        (["a.csv,x,S,a,first,,"], HEAD, "trial is 'first'", 2),
        (["a.csv,x,S,a,-1,,"], HEAD, "trial is '-1'", 2),
        (["a.csv,x,S,a,0,1.0,0.5"], HEAD, "start 1 s is not before end 0.5 s", 2),
        (["a.csv,x,S,a,0,1.0,1.0"], HEAD, "start 1 s is not before end 1 s", 2),
        (["a.csv,x,S,a,0,soon,"], HEAD, "start is 'soon'", 2),
        (["a.csv,x,S,a,0,-1,"], HEAD, "start is '-1'", 2),
        (["a.csv,x,S,a,0,,nan"], HEAD, "end is 'nan'", 2),
        (["a.csv,x,S,a,0,,2.5"], HEAD, "lasts 2 s", 2),
        (["a.csv,x,S,a,0,2.5,"], HEAD, "lasts 2 s", 2),
        (["a.csv,x,S,a,0,0.01,0.02"], HEAD, "no sample of a.csv", 2),
        (["a.csv,x,S,a,0,,", "a.csv,x,S,a,1,,"], HEAD, "the same recording as row 2", 3),
        (["a.csv,x,S,a,0,,", "./a.csv,x,S,a,1,,"], HEAD, "the same recording as row 2", 3),
        (["a.csv,x,S,a,0,,", "b.npz,x,S,a,0,,"], HEAD, "trial as in row 2", 3),
        (["a.csv,x,S,a,0"], HEAD, "5 cells, 7 expected", 2),
        ([], HEAD, "names no recording", None),
        (["a.csv,x"], "file,label\n", "no column subject, session, trial", 1),
        (["a.csv"], "file,lable,subject,session,trial\n", "did you mean 'label'", 1),
        (["a.csv"], "file,file,label,subject,session,trial\n", "two columns 'file'", 1),
        (['"a.csv'], HEAD, "cannot be read", None),
    ],
)
def test_each_mistake_in_labels_has_its_own_message(root, rows, head, said, row):
    """Oracle: one mistake a file; rows counted with the header as row 1."""
    error = refused(label(root, *rows, head=head))
    assert error.code == "KD_LABELS"
    assert said in error.message
    assert len(error.message) < 200
    assert "labels.csv" in error.where
    assert error.where.endswith("labels.csv" if row is None else f"row {row}")
    assert error.hint


def test_a_folder_without_labels_says_what_to_write(root):
    """Oracle: the needed columns in the hint."""
    error = refused(root)
    assert error.code == "KD_LABELS"
    assert "file, label, subject, session, trial" in error.hint


def test_a_fault_in_a_named_file_is_told_as_that_files(root):
    """Oracle: a text in row 3 of a.csv."""
    (root / "a.csv").write_text("# rate_hz = 10\nemg\nx\n")
    error = refused(label(root, "a.csv,x,S,a,0,,"))
    assert error.code == "KD_BAD_CELL"
    assert "a.csv, row 3" in error.where
