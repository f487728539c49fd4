"""EDF, MATLAB, HDF5 and Ninapro files. Oracles: edfio, SciPy, h5py, pymatreader, closed forms."""

from __future__ import annotations

import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from build_samples import RECIPE
from format_samples import FORMATS, c3d_bytes, edf_bytes, matlab73_bytes, wfdb_files
from scipy.io import loadmat, savemat

from kd_edge.base.errors import KdEdgeError
from kd_edge.pipeline.dataset import _source_digest
from kd_edge.recipe import parse_recipe
from kd_edge.signals import find_reader, read
from kd_edge.signals.formats import matlab
from kd_edge.signals.formats.apart import load_apart
from kd_edge.signals.sets import ninapro

CHANCE = np.random.default_rng(5)


def refused(path: Path, reader: str | None = None, **options) -> KdEdgeError:
    with pytest.raises(KdEdgeError) as caught:
        read(path, reader, **options)
    return caught.value


# --- EDF ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["edf", "bdf"])
def test_edf_gives_the_samples_rates_and_units_that_its_library_gives(kind, write):
    """Oracle: edfio."""
    edfio = pytest.importorskip("edfio")
    path = write(edf_bytes(kind), f"f.{kind}")
    assert find_reader(path).name == "edf"
    (found,) = read(path)
    opened = (edfio.read_edf if kind == "edf" else edfio.read_bdf)(path)
    assert [s.modality for s in found.streams] == ["emg", "acc"]
    assert [s.unit for s in found.streams] == ["mV", "g"]
    assert [s.rate_hz for s in found.streams] == [2000, 200]
    for stream, signal in zip(found.streams, opened.signals, strict=True):
        np.testing.assert_array_equal(stream.samples[:, 0], signal.data.astype("f4"))
    assert found.started == "2026-03-04T05:06:07"
    assert found.notes == ("1 annotations, not read",)


def test_a_cut_edf_file_is_refused_though_its_library_reads_it(write):
    """Oracle: edfio, which takes the records that are there and warns."""
    pytest.importorskip("edfio")
    content = edf_bytes("edf")
    for cut in (content[:-2], content[:-5000], content[:300]):
        assert refused(write(cut, "f.edf")).code == "KD_TRUNCATED"
    longer = refused(write(content + content[-4400:], "f.edf"))
    assert (longer.code, "records" in longer.message) == ("KD_BAD_FORMAT", True)
    apart = refused(write(content[:192] + b"EDF+D" + content[197:], "f.edf"))
    assert "not contiguous" in apart.message


# --- MATLAB ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [True, False])
def test_matlab_matrices_are_streams_at_the_rates_beside_them(packed, tmp_path):
    """Oracle: what SciPy saved."""
    emg, acc = CHANCE.normal(size=(300, 8)), CHANCE.normal(size=(3, 150))
    held = {"emg": emg, "fs": 1000.0, "acc": acc, "acc_fs": 100.0, "label": "fist", "note": "x"}
    savemat(tmp_path / "f.mat", held, do_compression=packed)
    (found,) = read(tmp_path / "f.mat")
    assert [(s.modality, s.rate_hz) for s in found.streams] == [("emg", 1000), ("acc", 100)]
    np.testing.assert_array_equal(found.streams[0].samples, emg.astype("f4"))
    np.testing.assert_array_equal(found.streams[1].samples, acc.T.astype("f4"))
    assert found.label == "fist"


def test_matlab_7_3_gives_what_the_older_version_gives(tmp_path, write):
    """Oracle: pymatreader where it is installed, and the matrices themselves."""
    pytest.importorskip("h5py")
    emg = CHANCE.normal(size=(300, 8))
    path = write(matlab73_bytes(emg), "f.mat")
    (found,) = read(path)
    np.testing.assert_array_equal(found.streams[0].samples, emg.astype("f4"))
    assert (found.streams[0].rate_hz, found.label) == (1000, "fist")
    pymatreader = pytest.importorskip("pymatreader")
    np.testing.assert_array_equal(pymatreader.read_mat(path)["emg"], emg)


def test_what_is_unpacked_holds_the_same_matrices(tmp_path, write):
    """Oracle: SciPy, on the packed file."""
    held = {"a": CHANCE.normal(size=(20, 3)), "b": {"c": "text", "d": [1.0, 2.0]}, "e": "ü"}
    savemat(tmp_path / "f.mat", held, do_compression=True)
    plain = matlab.unpacked((tmp_path / "f.mat").read_bytes(), "f")
    before, after = loadmat(tmp_path / "f.mat"), loadmat(write(plain, "g.mat"))
    assert before.keys() == after.keys()
    np.testing.assert_array_equal(before["a"], after["a"])
    np.testing.assert_array_equal(before["b"]["d"][0, 0], after["b"]["d"][0, 0])


def test_a_matlab_file_that_unpacks_to_too_much_is_refused_before(monkeypatch, tmp_path):
    savemat(tmp_path / "f.mat", {"emg": np.zeros((100_000, 8)), "fs": 1.0}, do_compression=True)
    monkeypatch.setattr(matlab, "unpacked_bound", lambda n_bytes: 1 << 20)
    with pytest.raises(KdEdgeError, match="unpacks to more than 1 MiB"):
        matlab.extract(tmp_path / "f.mat")


def test_a_cut_matlab_file_is_refused(tmp_path, write):
    savemat(tmp_path / "f.mat", {"emg": np.ones((300, 8)), "fs": 1.0}, do_compression=True)
    content = (tmp_path / "f.mat").read_bytes()
    assert refused(write(content[:-3], "g.mat")).code == "KD_TRUNCATED"
    short = content[:132] + (20).to_bytes(4, "little") + content[136:156]  # the packed bytes end
    assert refused(write(short, "g.mat")).code == "KD_TRUNCATED"
    broken = content[:140] + zlib.compress(b"x" * 40)
    assert refused(write(broken, "g.mat")).code in ("KD_TRUNCATED", "KD_BAD_FORMAT")


def test_a_rate_that_nothing_says_is_asked_for(tmp_path):
    savemat(tmp_path / "f.mat", {"x": CHANCE.normal(size=(300, 2))})
    error = refused(tmp_path / "f.mat")
    assert ("at which rate 'x'" in error.message, "rate_hz" in error.hint) == (True, True)
    (found,) = read(tmp_path / "f.mat", rate_hz=250.0, modality="emg")
    assert [(s.modality, s.rate_hz) for s in found.streams] == [("emg", 250)]


def test_a_library_that_crashes_ends_in_an_error_and_the_next_file_is_read(monkeypatch, tmp_path):
    """Oracle: this file's `extract`, which ends its process for one of the files."""
    (tmp_path / "crash").touch()
    (tmp_path / "fine").touch()
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with pytest.raises(KdEdgeError, match="SIGABRT") as caught:
        load_apart("crashing", tmp_path / "crash", "odd")
    assert caught.value.code == "KD_BAD_FORMAT"
    assert load_apart("crashing", tmp_path / "fine", "odd").arrays["a"].tolist() == [1, 2]
    if sys.platform == "linux":
        (tmp_path / "greedy").touch()
        with pytest.raises(KdEdgeError, match=r"memory|allocate"):
            load_apart("crashing", tmp_path / "greedy", "odd")


# --- HDF5 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["nct", "ntc"])
def test_an_array_of_trials_with_labels_beside_it_is_as_many_recordings(layout, tmp_path):
    """Oracle: the arrays that h5py wrote."""
    h5py = pytest.importorskip("h5py")
    trials = CHANCE.normal(size=(6, 50, 8)).astype("f4")  # (n, t, c)
    with h5py.File(tmp_path / "f.h5", "w") as opened:
        opened["X"] = trials if layout == "ntc" else trials.transpose(0, 2, 1)
        opened["y"] = [0, 1, 2, 0, 1, 2]
        opened["subject"] = ["a"] * 3 + ["b"] * 3
        opened.attrs["fs"] = 200.0
    for stated in (None, layout):
        found = read(tmp_path / "f.h5", layout=stated, modality="emg")
        assert [(r.label, r.subject, r.trial) for r in found[2:4]] == [("2", "a", 0), ("0", "b", 0)]
        for recording, trial in zip(found, trials, strict=True):
            np.testing.assert_array_equal(recording.streams[0].samples, trial)
            assert recording.streams[0].rate_hz == 200


def test_groups_of_an_hdf5_file_are_recordings_with_their_attributes(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "f.hdf5", "w") as opened:
        opened.attrs["rate_hz"] = 100.0
        for name in ("fist", "rest"):
            group = opened.create_group(f"S1/{name}")
            group.attrs["label"] = name
            group["emg"] = CHANCE.normal(size=(40, 2))
            group["emg"].attrs["unit"] = "mV"
            group["acc"] = CHANCE.normal(size=(20, 3))
            group["acc"].attrs["rate_hz"] = 50.0
    found = read(tmp_path / "f.hdf5")
    assert [r.label for r in found] == ["fist", "rest"]
    assert {(s.modality, s.rate_hz, s.unit) for s in found[0].streams} == {
        ("emg", 100.0, "mV"),
        ("acc", 50.0, ""),
    }


def test_an_hdf5_file_reaches_no_other_file_and_takes_no_more_than_its_bound(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "other.h5", "w") as opened:
        opened["emg"] = np.ones((10, 2))
    with h5py.File(tmp_path / "link.h5", "w") as opened:
        opened["emg"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/emg")
        opened.attrs["fs"] = 10.0
    assert "no array" in refused(tmp_path / "link.h5").message
    with h5py.File(tmp_path / "raw.h5", "w") as opened:
        opened.create_dataset("emg", (10, 2), "f4", external=[(str(tmp_path / "x.bin"), 0, 80)])
    assert "another file" in refused(tmp_path / "raw.h5").message
    with h5py.File(tmp_path / "huge.h5", "w") as opened:
        opened.create_dataset("emg", (1 << 40, 2), "f4", chunks=(1 << 16, 2))
    assert "more than 256 MiB" in refused(tmp_path / "huge.h5").message


# --- C3D and WFDB ---------------------------------------------------------------------------------


def test_c3d_gives_the_analog_channels_that_its_library_wrote(write):
    """Oracle: ezc3d."""
    ezc3d = pytest.importorskip("ezc3d")
    path = write(c3d_bytes(), "f.c3d")
    assert find_reader(path).name == "c3d"
    (found,) = read(path)
    assert [(s.modality, s.rate_hz, s.unit) for s in found.streams] == [
        ("emg", 1000, "V"),
        ("force", 1000, "N"),
    ]
    analogs = ezc3d.c3d(str(path))["data"]["analogs"][0]
    for stream, channel in zip(found.streams, analogs, strict=True):
        np.testing.assert_array_equal(stream.samples[:, 0], channel.astype("f4"))
    assert found.notes == ("1 markers, not read",)


with_wfdb = pytest.mark.skipif("WFDB" not in FORMATS, reason="needs the package wfdb")


@with_wfdb
def test_wfdb_gives_the_samples_that_its_library_gives(tmp_path, write):
    """Oracle: wfdb."""
    for name, content in wfdb_files().items():
        write(content, name)
    (found,) = read(tmp_path / "rec.hea")
    assert [(s.modality, s.rate_hz, s.unit) for s in found.streams] == [
        ("emg", 500, "mV"),
        ("acc", 500, "g"),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, about wfdb's own code
        import wfdb

        signals = wfdb.rdrecord(str(tmp_path / "rec")).p_signal
    np.testing.assert_array_equal(found.streams[0].samples[:, 0], signals[:, 0].astype("f4"))
    (again,) = read(tmp_path, "files")
    assert again.content_sha256 == found.content_sha256


@with_wfdb
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ((b"rec.dat", b"../x.dat"), "KD_BAD_FORMAT"),
        ((b"rec.dat", b"none.dat"), "KD_NO_FILE"),
        ((b"500 100", b"500 1000"), "KD_TRUNCATED"),
        ((b"rec 2", b"rec/3 2"), "KD_BAD_FORMAT"),
        ((b".dat 16", b".dat 508"), "KD_BAD_FORMAT"),
    ],
)
def test_a_wfdb_header_that_its_files_do_not_agree_with_is_refused(change, code, tmp_path, write):
    files = wfdb_files()
    write(files["rec.dat"], "rec.dat")
    assert change[0] in files["rec.hea"]
    assert refused(write(files["rec.hea"].replace(*change), "rec.hea")).code == code


@with_wfdb
def test_windows_are_made_anew_when_the_file_beside_a_header_changes(tmp_path, write):
    """Oracle: the stage's key, which holds what a build depends on."""
    for name, content in wfdb_files().items():
        write(content, name)
    recipe = parse_recipe(RECIPE.replace('reader = "synthetic"', 'reader = "wfdb"'))
    header = tmp_path / "rec.hea"
    before = _source_digest(recipe, header, lambda *told: None)
    write(wfdb_files()["rec.dat"][::-1], "rec.dat")
    assert _source_digest(recipe, header, lambda *told: None) != before


# --- Ninapro --------------------------------------------------------------------------------------


def write_ninapro(place: Path, n_channels: int, rate_hz: float, **more: np.ndarray) -> dict:
    """A file of two movements, twice each, with rest between; slow signals on straight lines."""
    n = int(4 * rate_hz)
    movements, repetitions = np.zeros((n, 1)), np.zeros((n, 1))
    for k in range(4):  # half a second each, from 0.25 s on, a second apart
        span = slice(int((k + 0.25) * rate_hz), int((k + 0.75) * rate_hz))
        movements[span], repetitions[span] = 1 + k // 2, 1 + k % 2
    held = {
        "emg": CHANCE.normal(size=(n, n_channels)),
        "restimulus": movements.astype("i1"),
        "stimulus": movements.astype("i1"),
        "repetition": repetitions.astype("i1"),
        "rerepetition": repetitions.astype("i1"),
        "subject": np.array([[7]]),
        "exercise": np.array([[2]]),
    } | more
    savemat(place / "S7_E2_A1.mat", held, do_compression=True)
    return held


@pytest.mark.parametrize(
    ("database", "n_channels", "rate_hz", "imu_hz", "names"),
    [
        ("DB2", 12, 2000.0, 4000 / 27, ("acc",)),
        ("DB5", 16, 200.0, 50.0, ("acc",)),
        ("DB7", 12, 2000.0, 128.0, ("acc", "gyro", "mag")),
    ],
)
def test_ninapro_gives_repetitions_with_inertial_signals_at_their_own_rate(
    database, n_channels, rate_hz, imu_hz, names, tmp_path
):
    """Oracle: straight lines, which interpolation keeps; the samples of the sEMG as they are."""
    seconds = np.arange(int(4 * rate_hz)) / rate_hz
    lines = seconds[:, None] * np.arange(1, 37)
    held = write_ninapro(tmp_path, n_channels, rate_hz, **dict.fromkeys(names, lines))
    assert find_reader(tmp_path).name == "ninapro"
    found = read(tmp_path)
    assert [(r.label, r.subject, r.session, r.trial) for r in found] == [
        ("movement 1", "S7", "E2", 1),
        ("movement 1", "S7", "E2", 2),
        ("movement 2", "S7", "E2", 1),
        ("movement 2", "S7", "E2", 2),
    ]
    emg, *inertial = found[1].streams
    start = int(1.25 * rate_hz)
    span = slice(start, start + int(0.5 * rate_hz))
    np.testing.assert_array_equal(emg.samples, held["emg"][span].astype("f4"))
    assert [s.modality for s in inertial] == ["acc", "gyr", "mag"][: len(names)]
    for stream in inertial:
        assert stream.rate_hz == imu_hz
        times_s = 1.25 + stream.start_s + np.arange(stream.n_samples) / imu_hz
        np.testing.assert_allclose(stream.samples, times_s[:, None] * np.arange(1, 37), rtol=1e-5)
        assert 0 <= stream.start_s < 1 / imu_hz
    assert read(tmp_path, database=database)[0].content_sha256 == found[0].content_sha256


def test_a_file_of_another_set_is_told(tmp_path):
    write_ninapro(tmp_path, 4, 200.0)
    assert "DB2" in refused(tmp_path).message
    savemat(tmp_path / "S7_E2_A1.mat", {"emg": np.ones((10, 12))})
    assert refused(tmp_path).code == "KD_BAD_FORMAT"
    assert refused(tmp_path, "ninapro", database="DB9").code == "KD_USAGE"
    assert set(ninapro.DATABASES) == {"DB2", "DB3", "DB5", "DB7"}
