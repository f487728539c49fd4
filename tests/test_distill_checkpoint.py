"""Training state on disk. Oracle: what was saved, and SHA-256's own promise."""

from __future__ import annotations

import numpy as np
import pytest

from kd_edge.distill.checkpoint import State, key_of, load, save


def state(key="k", n_variables=12) -> State:
    """More arrays than ten, so that their names do not sort as they count."""
    rng = np.random.default_rng(0)
    return State(
        key=key,
        history={"loss": [0.5, 0.25], "validation_loss": []},
        variables=[rng.normal(size=(2, i)).astype(np.float32) for i in range(n_variables)],
        optimizer=[np.array(7, np.int64), rng.normal(size=3)],
        best=[],
    )


def test_what_was_saved_is_loaded_in_order_with_types_and_shapes(tmp_path):
    path, saved = tmp_path / "s.ckpt", state()
    save(path, saved)
    found = load(path, "k")
    assert (found.key, found.history) == (saved.key, saved.history)
    for group in ("variables", "optimizer", "best"):
        ours, theirs = getattr(found, group), getattr(saved, group)
        assert [(a.shape, a.dtype) for a in ours] == [(a.shape, a.dtype) for a in theirs]
        assert [a.tobytes() for a in ours] == [a.tobytes() for a in theirs]
    assert [path.name for path in tmp_path.iterdir()] == ["s.ckpt"]


def test_a_later_state_takes_the_earlier_ones_place(tmp_path):
    path = tmp_path / "s.ckpt"
    save(path, state(n_variables=12))
    save(path, state(n_variables=3))
    assert len(load(path, "k").variables) == 3


@pytest.mark.parametrize("case", ["absent", "a key", "z key", "empty", "text", "cut", "no header"])
def test_what_is_not_the_state_asked_for_is_none(tmp_path, case):
    path = tmp_path / "s.ckpt"
    save(path, state())
    content = path.read_bytes()
    if case == "absent":
        path.unlink()
    elif case == "no header":
        with open(path, "wb") as stream:
            np.savez(stream, other=np.zeros(3))
    else:
        path.write_bytes(
            {"empty": b"", "text": b"not one", "cut": content[:-300]}.get(case, content)
        )
    assert load(path, case if case.endswith("key") else "k") is None


def test_a_key_is_the_same_for_the_same_and_another_for_anything_else():
    array = np.arange(6, dtype=np.float32)
    asked = {"b": 1, "a": [2.5, None]}
    key = key_of(asked, [array])
    assert key_of({"a": [2.5, None], "b": 1}, [array[::-1][::-1]]) == key
    assert len(key) == 64
    changed = array.copy()
    changed[5] = np.nextafter(changed[5], 9)
    others = [
        key_of({"b": 1, "a": [2.5, 0]}, [array]),
        key_of(asked, []),
        key_of(asked, [array, array]),
        key_of(asked, [changed]),
        key_of(asked, [array.reshape(2, 3)]),
        key_of(asked, [array.astype(np.float64)]),
        key_of(asked, [array.view(np.int32)]),
        key_of(asked, [array.reshape(2, 3).T]),
    ]
    assert len({key, *others}) == 9
