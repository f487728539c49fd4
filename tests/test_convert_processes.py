"""The same model gives the same bytes in two processes that order their sets otherwise.

Oracle: the other process. The order of a set of names follows their hashes, and those follow
PYTHONHASHSEED; kd-edge's own processes have 0.
"""

from __future__ import annotations

import contextlib
from importlib.util import find_spec

import pytest
from convert_models import convolutional, two_branches

from kd_edge.base.children import Child
from kd_edge.base.formats import FORMATS
from kd_edge.convert.routes import ROUTES, as_json

TIMEOUT_S = 900


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """File of a model -> its inputs."""
    folder = tmp_path_factory.mktemp("processes")
    made = {}
    for name, build in (("loops", two_branches), ("convolution", convolutional)):
        network, path = build(), folder / f"{name}.keras"
        network.save(path)
        made[path] = sorted(tensor.name for tensor in network.inputs)
    return made


@pytest.fixture(scope="module")
def other():
    """A converter's process with other hashes."""
    environment = {"CUDA_VISIBLE_DEVICES": "-1", "PYTHONHASHSEED": "1"}
    child = Child("kd_edge.convert.child", name="convert", environment=environment)
    with contextlib.closing(child):
        yield child


@pytest.mark.parametrize("fmt", ["onnx", pytest.param("coreml", marks=pytest.mark.slow)])
def test_two_processes_write_the_same_bytes(fmt, models, other, converter, tmp_path):
    missing = [name for name in FORMATS[fmt].packages if find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
    for path, inputs in models.items():
        job = {
            "keras": str(path),
            "fmt": fmt,
            "route": as_json(ROUTES.find(fmt)),
            "input_order": inputs,
        }
        out = tmp_path / path.stem
        other.do(tmp_path, {**job, "out": str(out), "calibration": None}, timeout_s=TIMEOUT_S)
        assert converter.convert(job, None, TIMEOUT_S) == out.read_bytes()
    assert other.process_id != converter.process_id
