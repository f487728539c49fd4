"""Thousands of spoilt recordings and labels.csv files: each is read or refused, and nothing else.

`KD_EDGE_MUTANTS=10000 python -m pytest tests/test_signals_many_mutants.py -s` runs so many of each
kind and prints how many were read and how many were refused by which code.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import tarfile
import time
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from format_samples import BESIDE, FORMATS, delsys_bytes, delsys_database, shpf_bytes
from test_signals_fuzz import API, DISCOVER, EMGWORKS, MILLISECONDS, PLAIN, RENAMED

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals import folder, read

MUTANTS = int(os.environ.get("KD_EDGE_MUTANTS", "120"))
LONGEST_S = 20  # of a processor, against inputs that nearly hang; the slowest takes well under 1 s
CASES = Path(__file__).parent / "cases"
PIECES = (
    b",", b";", b"\n", b"\r\n", b",,", b" ", b'"', b"Hz", b"1e400", b"1e30", b"1e-320", b"-", b".",
    b"\xef\xbb\xbf", b"\xff", b"\0", b"nan", b"inf", b"(", b")", b"[s]", b"#", b"=", b"..", b"/",
    b"1700000000", b"999999999999999999999", b"Time Series (s)", b"time (ms)", b"-1 Hz", b"[/x]",
)  # fmt: skip
LABELS = (
    b"file,label,subject,session,trial,start,end\nplain.csv,a,S,x,0,,\n"
    b'"plain.csv",b,S,x,1,0.01,0.04\nnested/plain.csv,c,S,x,2,0,0.02\n'
)


def npz_bytes(compressed: bool) -> bytes:
    stream = io.BytesIO()
    save = np.savez_compressed if compressed else np.savez
    facts = {"emg.rate_hz": 50.0, "emg.unit": "V", "emg.times_s": np.arange(6) / 50}
    save(stream, emg=np.arange(6.0), acc=np.ones((4, 3), "i2"), label="a", **facts,
         **{"acc.rate_hz": 30.0})  # fmt: skip
    return stream.getvalue()


def npy_bytes(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def around_an_array(content: bytes) -> bytes:
    """An NPZ whose checksums are right and whose stream is the content: spoilt behind the zip."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("emg.npy", content)
        archive.writestr("emg.rate_hz.npy", npy_bytes(np.array(50.0)))
    return stream.getvalue()


def archive_bytes() -> bytes:
    axes = {"gyroscope": [1, 2, 3], "acceleration": [0, 0, 1], "orientation": [1, 0, 0, 0]}
    trial = {
        "timestamp": "26/06/20/10:00:01",
        "emg": {"frequency": 200, "data": [[1, 2, 3, 4, 5, 6, 7, 8]] * 2},
        "imu": {"frequency": 200, "data": [axes] * 2},
    }
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:xz") as archive:
        member = tarfile.TarInfo("Dataset/A/1.json")
        content = json.dumps(trial).encode()
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


# Kind -> the file's name and what is to be spoilt; what is put around it then.
PACKED = {
    "NPZ, an array in it": around_an_array,
    "Delsys archive, its database": delsys_bytes,
}
KINDS = {
    "Trigno Discover": ("f.csv", DISCOVER),
    "Trigno Discover, gzip": ("f.csv.gz", gzip.compress(DISCOVER, mtime=0)),
    "EMGworks": ("f.csv", EMGWORKS),
    "EMGworks, renamed": ("f.csv", RENAMED),
    "vendor's Python example": ("f.csv", API),
    "plain CSV": ("f.csv", PLAIN),
    "plain CSV, milliseconds": ("f.csv", MILLISECONDS),
    "NPZ": ("f.npz", npz_bytes(compressed=False)),
    "NPZ, compressed": ("f.npz", npz_bytes(compressed=True)),
    "NPZ, an array in it": ("f.npz", npy_bytes(np.arange(12.0).reshape(6, 2))),
    "Delsys records": ("f.shpf", shpf_bytes()),
    "Delsys archive": ("f.delsys", delsys_bytes()),
    "Delsys archive, its database": ("f.delsys", delsys_database()),
    **FORMATS,
    "archive of a set": ("Dataset_f.tar.xz", archive_bytes()),
    "labels.csv": ("labels.csv", LABELS),
}


def mutant(chance: random.Random, content: bytes) -> bytes:
    """The content with one to six pieces cut out, doubled, moved, replaced or put in."""
    for _ in range(chance.randint(1, 6)):
        start = chance.randrange(len(content) + 1)
        end = min(start + chance.choice((0, 0, 1, 1, 2, 5, 40, 400)), len(content))
        piece = content[start:end]
        other = chance.randrange(len(content) + 1)
        middle = chance.choice(
            (
                b"",
                piece * 2,
                piece * chance.choice((3, 50)),
                chance.randbytes(chance.randint(1, 6)),
                chance.choice(PIECES),
                content[other : other + len(piece)],
            )
        )
        content = content[:start] + middle + content[end:]
    return content


def outcome(place: Path, name: str, content: bytes) -> str:
    """'read', or the code of the error; anything else raises."""
    path = place / name
    path.write_bytes(content)
    try:
        recordings = folder.read(place) if name == folder.LABELS else read(path)
    except KdEdgeError as error:
        return error.code
    for recording in recordings:
        assert recording.duration_s >= 0
        for stream in recording.streams:
            assert np.isfinite(stream.samples).all() or name.endswith(".npz")
            assert 0 < stream.rate_hz < 1e7
            assert np.isfinite([stream.start_s, stream.end_s]).all()
    return "read"


def test_every_kind_is_read_before_it_is_spoilt(tmp_path):
    """Oracle: no error."""
    prepare(tmp_path)
    for kind, (name, content) in KINDS.items():
        assert outcome(tmp_path / "inside", name, PACKED.get(kind, bytes)(content)) == "read"
        (tmp_path / "inside" / name).unlink()


def prepare(root: Path) -> dict[str, bytes]:
    """A folder for mutants with what labels.csv names, and files that nobody may touch."""
    for place in ("inside/nested", "outside"):
        (root / place).mkdir(parents=True)
    for name in ("inside/plain.csv", "inside/nested/plain.csv", "outside/kept.csv", "kept.csv"):
        (root / name).write_bytes(PLAIN)
    for name, content in BESIDE.items():
        (root / "inside" / name).write_bytes(content)
    return files(root)


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_mutants_are_read_or_refused_in_time_and_nothing_is_touched(kind, tmp_path):
    """Oracle: no other exception, no hang, every other file as it was."""
    name, content = KINDS[kind]
    before = prepare(tmp_path)
    found: Counter[str] = Counter()
    for index in range(MUTANTS):
        spoilt = PACKED.get(kind, bytes)(mutant(random.Random(f"{kind} {index}"), content))
        began_s = time.process_time()
        try:
            found[outcome(tmp_path / "inside", name, spoilt)] += 1
        except Exception as error:
            raise AssertionError(f"{kind}, mutant {index}: {spoilt[:2000]!r}") from error
        assert time.process_time() - began_s < LONGEST_S, f"{kind}, mutant {index}"
    (tmp_path / "inside" / name).unlink()
    assert files(tmp_path) == before
    assert found["read"] < MUTANTS
    print(f"{kind}: {MUTANTS} mutants, {dict(found.most_common())}")
