"""What no sensor gives and what no recording unpacks to is refused, with its bound."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile

import numpy as np
import pytest
from recording_files import only, refused

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals import read, source

DISCOVER = """Application:, Trigno Discover (1.7.0)
Date/Time:, 4/10/2026 12:13:39 PM
Collection Length (seconds):, 0.0135
EMG 01 (11)
sensor mode: 40
EMG 1 (mV)
222.2222 Hz
0.125
0.4375
0.5
"""


# --- absurd samples -------------------------------------------------------------------------------

ABSURD = ("1e30", "-3.4e38", "1e11", "2e10")


@pytest.mark.parametrize("value", ABSURD)
def test_an_absurd_sample_is_refused_with_channel_and_row(write, value):
    """Oracle: one cell of a good file; the bound is in docs/recordings.md."""
    text = "# rate_hz = 100\nemg_1,acc_x\n1,2\n3,4\n5,@\n6,7\n".replace("@", value)
    error = refused(write(text))
    assert error.code == "KD_BAD_SAMPLES"
    assert "acc_x" in error.message
    assert "row 5" in error.where


@pytest.mark.parametrize("value", ABSURD)
def test_every_reader_says_it(write, tmp_path, value):
    """Oracle: the same number in each form."""
    made = [
        write(DISCOVER.replace("0.4375", value), "d.csv"),
        write("(1)Avanti\nEMG 1 (148.148)\n1\n@\n2\n".replace("@", value), "a.csv"),
        write("X[s],S: EMG 1\n0,1\n0.001,@\n0.002,3\n".replace("@", value), "e.csv"),
    ]
    np.savez(tmp_path / "n.npz", emg=np.array([1, float(value), 2]), **{"emg.rate_hz": 5.0})
    for path in (*made, tmp_path / "n.npz"):
        error = refused(path)
        assert error.code == "KD_BAD_SAMPLES"
        assert error.where.startswith(str(path))


@pytest.mark.parametrize(
    ("unit", "largest"),
    [("V", 1e3), ("mV", 1e6), ("uV", 1e9), ("G", 1e4), ("dps", 1e6), ("", 1e10)],
)
def test_the_bound_depends_on_the_unit(write, unit, largest):
    """Oracle: docs/recordings.md; what lies on the bound is read."""
    text = f"# rate_hz = 100\nemg ({unit})\n1\n@\n2\n"
    assert only(write(text.replace("@", f"{largest:g}"))).streams[0].n_samples == 3
    assert refused(write(text.replace("@", f"{-1.01 * largest:g}"))).code == "KD_BAD_SAMPLES"


def test_a_channel_of_nothing_but_denormal_numbers_is_refused(write):
    """Oracle: bytes read as wrong numbers look so; a zero line and a fading one do not."""
    text = "# rate_hz = 100\nemg\n@\n0\n2e-41\n"
    assert refused(write(text.replace("@", "1e-40"))).code == "KD_BAD_SAMPLES"
    assert only(write(text.replace("@", "0.5"))).streams[0].n_samples == 3
    assert only(write("# rate_hz = 100\nemg\n0\n0\n")).streams[0].n_samples == 2


# --- what packed files may unpack to --------------------------------------------------------------


@pytest.fixture
def small_bounds(monkeypatch):
    """The least bound a thousandth of the real one: the same code, without the gigabytes."""
    monkeypatch.setattr(source, "UNPACKED_ALWAYS", 256 << 10)


def test_a_gzip_bomb_is_refused_before_it_is_unpacked(small_bounds, write):
    """Oracle: 4 MiB of zero samples in 4 kB."""
    text = b"# rate_hz = 100\nemg\n" + b"0\n" * (2 << 20)
    error = refused(write(gzip.compress(text), "f.csv.gz"))
    assert error.code == "KD_BAD_FORMAT"
    assert "unpacks to more than" in error.message


def test_an_npz_bomb_is_refused_before_it_is_unpacked(small_bounds, tmp_path):
    """Oracle: 4 MiB of zeros in 4 kB."""
    path = tmp_path / "f.npz"
    np.savez_compressed(path, emg=np.zeros(1 << 19), **{"emg.rate_hz": 100.0})
    assert "unpacks to more than" in refused(path).message


@pytest.mark.parametrize("pack", ["w:xz", "w:gz", "w:bz2"])
def test_an_archive_bomb_is_refused_while_it_is_unpacked(small_bounds, tmp_path, pack):
    """Oracle: 4 MiB of zeros beside what is wanted, and in it."""
    for name in ("Dataset/A/1.json", "Dataset/readme"):
        path = tmp_path / f"Dataset_{pack[2:]}.tar.xz"
        with tarfile.open(path, pack) as archive:
            member = tarfile.TarInfo(name)
            member.size = 4 << 20
            archive.addfile(member, io.BytesIO(bytes(member.size)))
        with pytest.raises(KdEdgeError, match="unpacks to more than"):
            read(path, "isl-alphabet-myo")


def test_a_sparse_member_is_refused_by_the_size_that_it_states(tmp_path):
    """Oracle: a tar of 10 kB whose member states 1 TiB of holes."""
    member = tarfile.TarInfo("Dataset/A/1.json")
    member.pax_headers = {
        "GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": member.name,
        "GNU.sparse.size": str(1 << 40), "GNU.sparse.map": f"{(1 << 40) - 1},1",
    }  # fmt: skip
    member.size = 1
    path = tmp_path / "Dataset_x.tar.xz"
    with tarfile.open(path, "w:xz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member, io.BytesIO(b"x"))
    with pytest.raises(KdEdgeError, match="unpacks to more than"):
        read(path, "isl-alphabet-myo")


def test_an_array_that_states_more_than_it_holds_is_refused(tmp_path):
    """Oracle: a header of 10^12 numbers over none: NumPy would make room for 8 TB."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
    )
    path = tmp_path / "f.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("emg.npy", header.getvalue())
    error = refused(path)
    assert error.code == "KD_BAD_FORMAT"
    assert "shorter than its shape" in error.message


def test_what_packs_a_thousand_times_is_read_while_it_is_small(tmp_path):
    """Oracle: ten minutes of a silent sensor, 2.4 MB in 3 kB, well under the bound."""
    path = tmp_path / "f.npz"
    np.savez_compressed(path, emg=np.zeros(600 * 1000), **{"emg.rate_hz": 1000.0})
    assert only(path).streams[0].n_samples == 600_000


def test_a_pipe_in_place_of_a_recording_is_refused_at_once(tmp_path):
    """Oracle: nobody writes into it, so that reading it would never end."""
    os.mkfifo(tmp_path / "f.csv")
    with pytest.raises(KdEdgeError) as caught:
        read(tmp_path / "f.csv", reader="csv")
    assert caught.value.code == "KD_BAD_FORMAT"
    assert "no regular file" in caught.value.message
