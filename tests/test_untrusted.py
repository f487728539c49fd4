"""Files of strangers: bounded, regular, without code. Oracle: what NumPy and the system do."""

from __future__ import annotations

import io
import os
import zipfile

import numpy as np
import pytest

from kd_edge.base.untrusted import check_zip, load_arrays, parse_json, read_regular


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_or_a_device_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(OSError, match="no regular file"):
            read_regular(path)
        with pytest.raises(OSError, match="no regular file"):
            load_arrays(path)


def test_a_link_is_followed_only_where_that_is_allowed(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link") == b"content"
    with pytest.raises(OSError, match="symbolic links"):
        read_regular(tmp_path / "link", follow=False)


def test_a_larger_file_is_refused_unread(tmp_path):
    with open(tmp_path / "sparse", "wb") as stream:
        stream.truncate(10**12)
    with pytest.raises(OSError, match="larger than"):
        read_regular(tmp_path / "sparse")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("NaN", "no number"),
        ("[1e999]", "too large a number"),
        ('{"a": -Infinity}', "no number"),
        ('["\\ud800"]', "surrogates"),
        ("[" * 200 + "]" * 200, "nested"),
        ("[" * 10**6, "nested"),
        ("[1", "delimiter"),
        (b"\xff", "decode"),
    ],
)
def test_json_without_a_meaning_is_refused(text, why):
    with pytest.raises(ValueError, match=why):
        parse_json(text)


def test_json_with_one_is_read():
    assert parse_json(b'{"a": [1, 2.5, "\\u00e9\\ud83d\\ude00"]}') == {"a": [1, 2.5, "é😀"]}


def saved(path, **arrays):
    np.savez_compressed(path, **arrays)
    return path


def with_member(path, content: bytes, name: str = "x.npy"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return path


def header(shape: str, descr: str = "'<f8'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def test_arrays_come_back_as_they_were_saved(tmp_path):
    found = load_arrays(saved(tmp_path / "a.npz", x=np.arange(3), meta=np.array("é")))
    np.testing.assert_array_equal(found["x"], np.arange(3))
    assert str(found["meta"]) == "é"


def test_pickled_objects_are_never_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    with pytest.raises(ValueError, match="Python objects"):
        load_arrays(saved(tmp_path / "a.npz", x=np.array([Trap()], dtype=object)))
    assert not (tmp_path / "ran").exists()


def test_what_unpacks_to_more_than_is_allowed_is_refused(tmp_path):
    path = saved(tmp_path / "a.npz", x=np.zeros(1_000_000))
    with pytest.raises(ValueError, match="unpacks to"):
        load_arrays(path, most_bytes=1_000_000)
    with pytest.raises(ValueError, match="unpacks to"):
        load_arrays(path, most_bytes=None)  # kd-edge's own are not compressed
    with pytest.raises(ValueError, match="unpacks to"):
        check_zip(path, most_bytes=1000)


@pytest.mark.parametrize(
    ("shape", "descr"),
    [
        ("(1000000000000,)", "'<f8'"),
        ("(-1,)", "'<f8'"),
        ("(3,)", "'|O'"),
        ("(3,)", "'<U1000000'"),
        ("(1,) * 9", "'<f8'"),
        ("('a',)", "'<f8'"),
        ("(3,)", "'no type'"),
        (f"({'9' * 400},)", "'<f8'"),
    ],
)
def test_a_header_that_asks_for_more_than_is_there_is_refused(tmp_path, shape, descr):
    """Oracle: its member has 24 bytes of values."""
    path = with_member(tmp_path / "a.npz", header(shape, descr) + bytes(24))
    with pytest.raises(ValueError, match="not a whole NPZ file"):
        load_arrays(path)


def test_damage_anywhere_is_an_error_or_the_same_arrays(tmp_path):
    """Oracle: zip's own check sums; every byte is flipped."""
    whole = io.BytesIO()
    np.savez(whole, x=np.arange(4, dtype="<i2"))
    content, path = whole.getvalue(), tmp_path / "a.npz"
    for position in range(len(content)):
        path.write_bytes(
            content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :]
        )
        try:
            found = load_arrays(path)
        except (OSError, ValueError):
            continue
        for array in found.values():
            np.testing.assert_array_equal(array, np.arange(4))
