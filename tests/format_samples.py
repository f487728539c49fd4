"""Small recordings, and files of formats made by each format's own library."""

from __future__ import annotations

import datetime
import importlib.util
import io
import sqlite3
import struct
import tarfile
import tempfile
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from kd_edge.signals.recording import Recording, Stream, usual_unit
from kd_edge.signals.xdf_writer import write_xdf


def recording(**facts) -> Recording:
    """Two sensors, three modalities, two rates; 0.54 s of noise with a fixed seed."""
    chance = np.random.default_rng(7)

    def stream(kind: str, sensor: str, n: int, width: int, rate_hz: float, unit: str) -> Stream:
        names = tuple(f"{sensor}: {kind.upper()} {i}" for i in range(1, width + 1))
        samples = chance.normal(size=(n, width)).astype(np.float32)
        return Stream(kind, sensor, names, samples, rate_hz, unit)

    streams = (
        stream("emg", "left (1)", 680, 1, 1259.2593, "mV"),
        stream("acc", "left (1)", 80, 3, 148.1481, "g"),
        stream("emg", "right (2)", 680, 1, 1259.2593, "mV"),
    )
    kept = {"label": "house", "subject": "S1", "session": "day 1", "trial": 2} | facts
    return Recording(streams=streams, source="made", **kept)


def assert_same(left: Recording, right: Recording, *, decimals: int | None = None) -> None:
    """The same streams, exactly or to so many decimals; times to a microsecond."""
    assert len(left.streams) == len(right.streams)
    for a, b in zip(left.streams, right.streams, strict=True):
        assert (a.modality, a.sensor, a.channels) == (b.modality, b.sensor, b.channels)
        assert usual_unit(a.unit) == usual_unit(b.unit)
        assert abs(a.rate_hz / b.rate_hz - 1) < 1e-6
        assert abs((a.start_s - left.begin_s) - (b.start_s - right.begin_s)) < 1e-6
        if decimals is None:
            np.testing.assert_array_equal(a.samples, b.samples)
        else:
            np.testing.assert_allclose(a.samples, b.samples, atol=0.51 * 10**-decimals, rtol=3e-7)


def shpf_bytes(n_frames: int = 8) -> bytes:
    """A `.shpf` file of one sensor: a frame has 5 samples of sEMG and 1 of each axis."""
    own = [("EMG 1", 1, 2, 5), ("ACC X", 6, 3, 1), ("ACC Y", 6, 3, 1)]
    blocks = [_shpf_block(struct.pack("<16x5I2x", 7, 14, 65, 1, len(own)), "Avanti", "40-49")]
    for index, (name, kind, unit, per_frame) in enumerate(own):
        facts = (1, index, kind, unit, -5.5, 5.5, per_frame / 0.0135, 3, per_frame)
        blocks.append(_shpf_block(struct.pack("<16xBBIIdddBI", *facts), name, name))
    header = bytearray(0x46)
    header[0] = 1
    for place, value in ((0x13, 0x46), (0x29, n_frames), (0x36, 1), (0x3A, len(own))):
        struct.pack_into("<I", header, place, value)
    samples = np.random.default_rng(1).normal(size=(n_frames, 7)).astype("<f8")
    return bytes(header) + b"".join(blocks) + samples.tobytes() + bytes(12 * n_frames)


def _shpf_block(facts: bytes, first: str, second: str) -> bytes:
    texts = bytes([len(first), len(second)]) + (first + second).encode()
    return struct.pack("<I", 4 + len(facts) + len(texts)) + facts + texts


def delsys_database(n_frames: int = 8) -> bytes:
    """The tables that belong to `shpf_bytes`."""
    opened = sqlite3.connect(":memory:")
    opened.executescript(
        "CREATE TABLE Trial (CollectionDate TEXT, CollectionLength REAL);"
        "CREATE TABLE Channel (ChannelId INTEGER PRIMARY KEY, Units INTEGER, SampleRate REAL, "
        "SamplesPerFrame INTEGER);"
        f"INSERT INTO Trial VALUES ('2026-01-02 03:04:05', {n_frames * 0.0135});"
        + "".join(
            f"INSERT INTO Channel VALUES ({i}, {unit}, {n / 0.0135}, {n});"
            for i, (unit, n) in enumerate([(2, 5), (3, 1), (3, 1)], 1)
        )
    )
    content = opened.serialize()
    opened.close()
    return content


def delsys_bytes(database: bytes | None = None) -> bytes:
    """A `.delsys` archive of `shpf_bytes` with this database, or its own."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("id/main.shpf", shpf_bytes())
        archive.writestr("exported.db", delsys_database() if database is None else database)
    return stream.getvalue()


def xdf_bytes() -> bytes:
    """A short recording as XDF."""
    made = recording()
    short = [replace(s, samples=s.samples[:20]) for s in made.streams]
    with tempfile.TemporaryDirectory() as place:
        write_xdf(replace(made, streams=tuple(short)), Path(place) / "f.xdf")
        return (Path(place) / "f.xdf").read_bytes()


def edf_bytes(kind: str = "edf") -> bytes:
    """Two signals of 2 s at 2000 and 200 Hz, with an annotation."""
    import edfio

    file, signal = (edfio.Edf, edfio.EdfSignal) if kind == "edf" else (edfio.Bdf, edfio.BdfSignal)
    wave = np.sin(np.arange(4000) / 30)
    stream = io.BytesIO()
    file(
        [
            signal(wave, 2000, label="EMG Biceps", physical_dimension="mV"),
            signal(wave[::10], 200, label="acc x", physical_dimension="g"),
        ],
        recording=edfio.Recording(startdate=datetime.date(2026, 3, 4)),
        starttime=datetime.time(5, 6, 7),
        annotations=[edfio.EdfAnnotation(0.5, 0.1, "house")],
    ).write(stream)
    return stream.getvalue()


def matlab_bytes(packed: bool = True) -> bytes:
    """Matrices of sEMG and acceleration with their rates."""
    from scipy.io import savemat

    stream = io.BytesIO()
    held = {"emg": np.arange(40.0).reshape(20, 2), "fs": 100.0, "acc": np.ones((10, 3)), "y": "a"}
    savemat(stream, held, do_compression=packed)
    return stream.getvalue()


def matlab73_bytes(emg: np.ndarray) -> bytes:
    """What MATLAB writes with -v7.3: HDF5 behind 512 bytes, axes turned, characters as numbers."""
    import h5py

    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "f.mat"
        with h5py.File(path, "w", userblock_size=512) as opened:
            text = np.array([[ord(c)] for c in "fist"], "u2")
            for name, value, kind in (
                ("emg", emg.T, b"double"),
                ("fs", np.array([[1000.0]]), b"double"),
                ("label", text, b"char"),
            ):
                opened[name] = value
                opened[name].attrs["MATLAB_class"] = np.bytes_(kind)
        content = path.read_bytes()
    return b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM" + content[128:]


def hdf5_bytes() -> bytes:
    """Trials with labels, packed, in a group."""
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as opened:
        group = opened.create_group("train")
        group.create_dataset("emg", data=np.ones((4, 20, 2), "f4"), compression="gzip")
        group["y"] = ["a", "b", "a", "b"]
        group.attrs["fs"] = 100.0
    return stream.getvalue()


def c3d_bytes() -> bytes:
    """Two analog channels at 1000 Hz beside a marker at 100 Hz."""
    import ezc3d

    opened = ezc3d.c3d()
    said = opened["parameters"]
    said["POINT"]["RATE"]["value"], said["POINT"]["LABELS"]["value"] = [100], ("wrist",)
    said["ANALOG"]["RATE"]["value"] = [1000]
    said["ANALOG"]["LABELS"]["value"] = ("EMG 1", "Force Z")
    said["ANALOG"]["UNITS"]["value"] = ("V", "N")
    opened["data"]["points"] = np.ones((4, 1, 20))
    opened["data"]["analogs"] = np.random.default_rng(4).normal(size=(1, 2, 200))
    with tempfile.TemporaryDirectory() as place:
        opened.write(str(Path(place) / "f.c3d"))
        return (Path(place) / "f.c3d").read_bytes()


def wfdb_files() -> dict[str, bytes]:
    """A header and its signal file, of sEMG and acceleration in 16 bits at 500 Hz."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as place:
        warnings.simplefilter("ignore")  # of pandas, about wfdb's own code
        import wfdb

        wfdb.wrsamp(
            "rec",
            fs=500,
            units=["mV", "g"],
            sig_name=["EMG 1", "acc x"],
            p_signal=np.random.default_rng(6).normal(size=(100, 2)),
            fmt=["16", "16"],
            write_dir=place,
        )
        return {path.name: path.read_bytes() for path in sorted(Path(place).iterdir())}


OTB_XML = """<Device Name="QUATTROCENTO" SampleFrequency="2048"
    DeviceTotalChannels="5" ad_bits="16">
  <Channels>
    <Adapter ID="AD1x2" Gain="150" ChannelStartIndex="0">
      <Channel Index="0" Muscle="Biceps"/><Channel Index="1"/>
    </Adapter>
    <Adapter ID="AdapterControl" Gain="1" ChannelStartIndex="3"><Channel Index="0"/></Adapter>
  </Channels>
</Device>"""


def otb_counts() -> np.ndarray:
    """(40, 5) int16: what the file holds, the ends of its range among them."""
    counts = np.random.default_rng(9).integers(-(2**15), 2**15, (40, 5)).astype("<i2")
    counts[:2, 0] = -(2**15), 2**15 - 1
    return counts


def otb_bytes(xml: str = OTB_XML, samples: bytes | None = None, described: str = "one") -> bytes:
    """An OTB+ file, as its public description says: a tar with a .sig and its .xml."""
    held = {"one.sig": otb_counts().tobytes() if samples is None else samples}
    held |= {f"{described}.xml": xml.encode(), "patient.xml": b"<Patient/>"}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in held.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _made() -> dict[str, tuple[str, bytes]]:
    """Kind -> name and bytes of a file, for each format whose library is installed."""
    libraries = {
        "XDF": ("pyxdf", "f.xdf", xdf_bytes),
        "EDF": ("edfio", "f.edf", edf_bytes),
        "BDF": ("edfio", "f.bdf", lambda: edf_bytes("bdf")),
        "MATLAB": ("scipy", "f.mat", matlab_bytes),
        "MATLAB, not packed": ("scipy", "f.mat", lambda: matlab_bytes(packed=False)),
        "MATLAB 7.3": ("h5py", "f.mat", lambda: matlab73_bytes(np.ones((20, 2)))),
        "HDF5": ("h5py", "f.h5", hdf5_bytes),
        "C3D": ("ezc3d", "f.c3d", c3d_bytes),
        "OTB+": ("tarfile", "f.otb+", otb_bytes),
        "WFDB": ("wfdb", "rec.hea", lambda: wfdb_files()["rec.hea"]),
    }
    return {
        kind: (name, make())
        for kind, (library, name, make) in libraries.items()
        if importlib.util.find_spec(library)
    }


FORMATS = _made()
# What stands beside such a file.
BESIDE = {"rec.dat": wfdb_files()["rec.dat"]} if "WFDB" in FORMATS else {}
