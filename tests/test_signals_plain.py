"""Plain CSV and NPZ recordings, and the registry that finds a reader."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals import READERS, find_reader, npz, plain_csv, read


def refused(call, *arguments, **options) -> KdEdgeError:
    with pytest.raises(KdEdgeError) as caught:
        call(*arguments, **options)
    return caught.value


def test_a_plain_csv_gives_its_columns_by_modality_and_unit(write):
    """Oracle: the file, read by eye."""
    path = write(
        "# made by hand\n# rate_hz = 200\n# sensor = wrist\n# synthetic = true\n"
        "# started = 2026-01-02 03:04:05\n"
        "emg_1 (mV),emg_2 (mV),ACC X (g),gyro x [deg/s]\n1,2,3,4\n5,6,7,8\n"
    )
    (recording,) = plain_csv.read(path)
    emg, acc, gyr = recording.streams
    assert (emg.modality, emg.channels, emg.unit) == ("emg", ("emg_1", "emg_2"), "mV")
    assert emg.samples.tolist() == [[1, 2], [5, 6]]
    assert (acc.modality, acc.unit, acc.sensor) == ("acc", "g", "wrist")
    assert (gyr.modality, gyr.unit, gyr.rate_hz) == ("gyr", "deg/s", 200)
    assert recording.synthetic
    assert recording.started == "2026-01-02T03:04:05"


def test_a_time_column_gives_the_rate_and_the_start(write):
    """Oracle: times 10 ms apart from 1 s on."""
    (recording,) = plain_csv.read(write("Time (s),emg\n1.00,1\n1.01,2\n1.02,3\n"))
    assert recording.streams[0].rate_hz == pytest.approx(100)
    assert recording.streams[0].start_s == 1.0


def test_one_modality_may_be_named_for_all_columns(write):
    """Oracle: '# modality = emg' over the columns 1 and 2."""
    (recording,) = plain_csv.read(write("# modality = emg\n# rate_hz=10\n1,b\n3,4\n"))
    assert recording.streams[0].modality == "emg"
    assert recording.streams[0].channels == ("1", "b")


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("emg\n1\n2\n", "KD_BAD_FORMAT", "nothing of its rate"),
        ("# rate_hz = 200\ntime,emg\n0,1\n0.01,2\n", "KD_RATE_MISMATCH", "200 Hz"),
        ("# rate_hz = fast\nemg\n1\n", "KD_BAD_FORMAT", "rate_hz"),
        ("# rate_hz = -1\nemg\n1\n", "KD_BAD_FORMAT", "rate_hz"),
        ("# rate = 200\nemg\n1\n", "KD_BAD_FORMAT", "did you mean 'rate_hz'"),
        ("# rate_hz = 200\n1,2\n3,4\n", "KD_BAD_FORMAT", "column names"),
        ("# rate_hz = 200\nemg,emg\n3,4\n", "KD_BAD_FORMAT", "two columns"),
        ("# rate_hz = 200\nemg,#1\n3,4\n", "KD_BAD_FORMAT", "tells no modality"),
        ("# rate_hz = 200\ntime\n0\n0.005\n", "KD_BAD_FORMAT", "no signal"),
        ("# rate_hz = 200\nemg,acc\n3,4\n5,\n", "KD_BAD_CELL", "empty cell"),
        ("# rate_hz = 200\nemg,acc\n3,4\n5\n", "KD_TRUNCATED", "1 cells, 2 expected"),
        ("# rate_hz = 200\nemg,acc\n3,4\n5,6", "KD_TRUNCATED", "no line end"),
        ("# rate_hz = 200\nemg,acc\n", "KD_TRUNCATED", "no samples"),
        ("# rate_hz = 200", "KD_BAD_FORMAT", "column names"),
        ("# rate_hz = 200\n# started = noon\nemg\n1\n", "KD_BAD_FORMAT", "ISO 8601"),
        ("# rate_hz = 200\n# synthetic = maybe\nemg\n1\n", "KD_BAD_FORMAT", "true or false"),
        ('# rate_hz = 200\n"emg\n1\n', "KD_BAD_FORMAT", "column names"),
        ("time,emg\n0,1\n", "KD_BAD_FORMAT", "fewer than two times"),
    ],
)
def test_a_malformed_plain_csv_is_refused_with_what_was_expected(write, text, code, said):
    """Oracle: one fault a file."""
    error = refused(plain_csv.read, write(text))
    assert error.code == code
    assert said in error.message
    assert "f.csv" in error.where
    assert error.hint


@pytest.mark.parametrize("start_s", [1.7e9, 90.0, -1e3])
def test_npz_streams_of_two_clocks_are_told_with_their_spans(tmp_path, start_s):
    """Oracle: two seconds from 0 and two from elsewhere have nothing in common."""
    facts = {"emg.rate_hz": 100.0, "acc.rate_hz": 50.0, "acc.start_s": start_s}
    np.savez(tmp_path / "f.npz", emg=np.ones(200), acc=np.ones((100, 3)), **facts)
    with pytest.raises(KdEdgeError, match="no time in common") as caught:
        read(tmp_path / "f.npz")
    assert caught.value.code == "KD_BAD_FORMAT"
    assert "emg from" in caught.value.message
    assert "start_s" in caught.value.hint


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
def test_a_csv_in_another_encoding_is_told_what_to_do(tmp_path, encoding):
    """Oracle: what spreadsheets call 'Unicode text' has a byte order mark; UTF-8's is no matter."""
    path = tmp_path / "f.csv"
    text = "# rate_hz = 100\nemg_1 (mV)\n0.5\n0.25\n"
    mark = "\ufeff" if encoding.endswith("be") else ""
    path.write_bytes((mark + text).encode(encoding))
    if encoding == "utf-8-sig":
        assert read(path)[0].streams[0].n_samples == 2
        return
    with pytest.raises(KdEdgeError, match="UTF-16") as caught:
        read(path)
    assert "UTF-8" in caught.value.hint


def test_an_npz_gives_streams_at_their_own_rates(tmp_path):
    """Oracle: what was saved."""
    path = tmp_path / "f.npz"
    emg = np.arange(12, dtype=np.int16).reshape(6, 2)
    np.savez(
        path,
        emg=emg,
        wrist=np.ones((3, 3)),
        hr=np.array([70.0, 71.0, 73.0]),
        label="house",
        subject="S2",
        session="am",
        trial=4,
        synthetic=True,
        **{
            "emg.rate_hz": 1111.11,
            "emg.unit": "mV",
            "emg.lsb": 0.5,
            "emg.start_s": 0.25,
            "wrist.rate_hz": 148.15,
            "wrist.modality": "acc",
            "wrist.sensor": "left",
            "wrist.channels": np.array(["x", "y", "z"]),
            "hr.rate_hz": 1.0,
            "hr.times_s": np.array([0.0, 1.0, 2.5]),
        },
    )
    assert find_reader(path).name == "npz"
    (recording,) = npz.read(path)
    first, second, third = recording.streams
    assert first.samples.tolist() == emg.tolist()
    assert (first.rate_hz, first.unit, first.lsb, first.start_s) == (1111.11, "mV", 0.5, 0.25)
    assert first.channels == ("emg 1", "emg 2")
    assert (second.modality, second.sensor, second.channels) == ("acc", "left", ("x", "y", "z"))
    assert third.times_s.tolist() == [0, 1, 2.5]
    assert (recording.label, recording.subject, recording.session) == ("house", "S2", "am")
    assert recording.trial == 4
    assert recording.synthetic


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"emg": np.ones((4, 2))}, "'emg.rate_hz' is missing"),
        ({"emg": np.ones((4, 2)), "emg.rate_hz": 0.0}, "'emg.rate_hz' is missing or not over 0"),
        ({"emg": np.ones((4, 2)), "emg.rate_hz": "fast"}, "not one number"),
        ({"emg": np.ones((4, 2)), "emg.rate_hz": 5.0, "emg.units": "V"}, "did you mean 'unit'"),
        ({"emg": np.ones((4, 2)), "emg.rate_hz": 5.0, "emgg.unit": "V"}, "did you mean 'emg'"),
        ({"emg": np.ones((4, 2)), "emg.rate_hz": 5.0, "emg.channels": ["a"]}, "1 names for 2"),
        ({"emg": np.ones((4, 2, 2)), "emg.rate_hz": 5.0}, "(samples, channels)"),
        ({"emg": np.full(3, "x"), "emg.rate_hz": 5.0}, "(samples, channels)"),
        ({"emg": np.ones(3), "emg.rate_hz": 5.0, "started": "yesterday"}, "ISO 8601"),
        ({"emg": np.ones(3), "emg.rate_hz": 5.0, "emg.sensor": "\ud800"}, "no character"),
        ({"emg": np.ones(3), "emg.rate_hz": 5.0, "emg.channels": ["\udfff"]}, "no character"),
        ({"emg": np.ones(3), "emg.rate_hz": 5.0, "label": "a\udc80"}, "no character"),
        ({"emg": np.ones(3), "emg.rate_hz": 5.0, "emg.times_s": np.ones(2)}, "increasing"),
        ({"emg": np.ones(3), "emg.rate_hz": 5.0, "trial": "first"}, "whole number"),
        ({"emg": np.ones(3), "emg.rate_hz": 5.0, "label": np.ones(2)}, "not one text"),
        ({"label": "house"}, "no stream"),
        ({"emg": np.array([{}, {}], dtype=object), "emg.rate_hz": 5.0}, "not a readable NPZ"),
    ],
)
def test_a_malformed_npz_is_refused_with_what_was_expected(tmp_path, arrays, said):
    """Oracle: one fault a file; pickled objects are not loaded."""
    path = tmp_path / "f.npz"
    np.savez(path, **arrays)
    error = refused(npz.read, path)
    assert error.code == "KD_BAD_FORMAT"
    assert said in error.message


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "g"])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_samples_that_are_no_numbers_are_called_so_in_every_kind_of_float(tmp_path, kind, value):
    """Oracle: the value is kept, so that `checks` can name it; never 'too large'."""
    path = tmp_path / "f.npz"
    samples = np.ones((5, 2), kind)
    samples[3, 1] = value
    np.savez(path, emg=samples, **{"emg.rate_hz": 5.0})
    (recording,) = npz.read(path)
    np.testing.assert_array_equal(recording.streams[0].samples[3, 1], np.float32(value))


@pytest.mark.parametrize("other", [0.0, np.nan, np.inf])
def test_a_number_too_large_for_32_bits_is_named_whatever_stands_beside_it(tmp_path, other):
    """Oracle: 1e300 is no infinity; its sample and channel are told."""
    path = tmp_path / "f.npz"
    np.savez(path, emg=np.array([[1, 2], [other, -1e300]]), **{"emg.rate_hz": 5.0})
    error = refused(npz.read, path)
    assert error.code == "KD_BAD_SAMPLES"
    assert error.where == f"{path}, sample 2, channel 2"


def test_channels_may_be_saved_as_bytes(tmp_path):
    """Oracle: the text that was encoded."""
    path = tmp_path / "f.npz"
    np.savez(path, emg=np.ones((3, 2)), **{"emg.rate_hz": 5.0, "emg.channels": [b"a", b"b"]})
    assert npz.read(path)[0].streams[0].channels == ("a", "b")


def test_a_cut_npz_is_truncated(tmp_path):
    """Oracle: the first half of a good file."""
    path = tmp_path / "f.npz"
    np.savez(path, emg=np.ones(1000), **{"emg.rate_hz": 5.0})
    path.write_bytes(path.read_bytes()[:4000])
    assert refused(npz.read, path).code == "KD_TRUNCATED"


def test_a_folder_of_loose_files_is_read_file_by_file(write, tmp_path):
    """Oracle: two good files beside a text that is no recording."""
    write("# rate_hz = 10\nemg\n1\n2\n", "b.csv")
    write("# rate_hz = 10\nemg\n3\n4\n", "a.csv")
    write("nothing", "notes.txt")
    assert [Path(r.source).name for r in read(tmp_path)] == ["a.csv", "b.csv"]


def test_no_file_and_an_empty_folder_and_a_strange_file_are_refused(tmp_path):
    """Oracle: one of each."""
    assert refused(read, tmp_path / "none").code == "KD_NO_FILE"
    assert refused(read, tmp_path).code == "KD_EMPTY_FOLDER"
    assert refused(read, tmp_path, "files").code == "KD_EMPTY_FOLDER"
    assert refused(read, tmp_path, "folder").code == "KD_EMPTY_FOLDER"
    (tmp_path / "f.xyz").write_text("hello")
    error = refused(read, tmp_path / "f.xyz")
    assert error.code == "KD_BAD_FORMAT"
    assert "no reader knows" in error.message


def test_unknown_readers_and_options_name_the_nearest(tmp_path):
    """Oracle: one letter changed."""
    error = refused(read, tmp_path, "delsys-cvs")
    assert error.code == "KD_UNKNOWN_NAME"
    assert "delsys-csv" in error.message
    assert refused(read, tmp_path, "npz", rate=3).code == "KD_USAGE"
    assert refused(read, None, "npz").code == "KD_NO_FILE"


def test_every_reader_has_both_functions_and_sniffs_without_raising(tmp_path):
    """Oracle: the registry's own promise, on a folder, a file and nothing."""
    (tmp_path / "f.bin").write_bytes(bytes(range(256)))
    for name, reader in READERS.items():
        assert reader.name == name
        assert callable(reader.read)
        for path in (tmp_path, tmp_path / "f.bin", tmp_path / "none"):
            assert reader.sniff(path) is False


def test_the_package_imports_without_pandas_or_matplotlib():
    """Oracle: sys.modules of a fresh interpreter."""
    heavy = "('pandas', 'matplotlib', 'scipy')"
    code = f"import sys, kd_edge.signals; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
