"""Models, settings and compilers that the firmware tests share."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from aot_models import OperatorModel, Quantised
from tflite_samples import options_of

from firmware_export.settings import FirmwareSettings, Golden
from kd_edge.base.flatbuffer import TfliteModel, pack, read_tflite
from kd_edge.base.front_end import Counts, FrontEndConstants, InputLayout, layout_samples
from kd_edge.examples.single import single_stream
from kd_edge.frontend import StreamFrontEnd, design_stream

STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Wshadow", "-Werror")
EMG_HZ, IMU_HZ = 1e6 / 900, 1e6 / 6750  # of the older Trigno sensor
LABELS = ("yes", 'a "quoted" \\ one', "नमस्ते", "what??/", "5")


@dataclass(frozen=True)
class T:
    """A tensor to be written: int8 with one scale unless said otherwise."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "int8"
    scale: float | None = 0.1
    zero_point: int = 3
    content: bytes = b""


def write_model(
    path: Path,
    tensors: tuple[T, ...],
    operators: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...],
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
) -> Path:
    """A `.tflite` file of the given graph; operators are (schema name, inputs, outputs)."""
    names = sorted({operator[0] for operator in operators})
    graph = schema.SubGraphT(
        name="main",
        tensors=[_tensor(i, tensor) for i, tensor in enumerate(tensors)],
        operators=[
            schema.OperatorT(
                opcodeIndex=names.index(name),
                inputs=np.array(read, np.int32),
                outputs=np.array(written, np.int32),
            )
            for name, read, written in operators
        ],
        inputs=np.array(inputs, np.int32),
        outputs=np.array(outputs, np.int32),
    )
    model = schema.ModelT(
        version=3,
        description="made by hand",
        operatorCodes=[_code(name) for name in names],
        subgraphs=[graph],
        buffers=[schema.BufferT()]
        + [schema.BufferT(data=np.frombuffer(t.content, np.uint8)) for t in tensors],
    )
    path.write_bytes(pack(model))
    return path


def _tensor(index: int, tensor: T) -> schema.TensorT:
    quantisation = None
    if tensor.scale is not None:
        quantisation = schema.QuantizationParametersT(
            scale=np.array([tensor.scale], np.float32),
            zeroPoint=np.array([tensor.zero_point], np.int64),
        )
    return schema.TensorT(
        name=tensor.name,
        shape=np.array(tensor.shape, np.int32),
        type=getattr(schema.TensorType, tensor.dtype.upper()),
        buffer=index + 1 if tensor.content else 0,
        quantization=quantisation,
    )


def _code(name: str) -> schema.OperatorCodeT:
    if name.startswith("CUSTOM:"):
        return schema.OperatorCodeT(builtinCode=32, customCode=name.removeprefix("CUSTOM:"))
    number = getattr(schema.BuiltinOperator, name)
    return schema.OperatorCodeT(builtinCode=number, deprecatedBuiltinCode=min(number, 127))


def two_input_model(folder: Path) -> Path:
    """Two dense branches that are added, with weights of random bytes."""
    rng = np.random.default_rng(3)
    return write_model(
        folder / "two.tflite",
        (
            T("emg", (1, 40, 6), scale=0.0280651804, zero_point=11),
            T("acc:0", (1, 20, 9), scale=1 / 3, zero_point=-128),
            T("w0", (5, 240), zero_point=0, content=rng.bytes(1200)),
            T("w1", (5, 180), zero_point=0, content=rng.bytes(900)),
            T("h0", (1, 5)),
            T("h1", (1, 5)),
            T("logits", (1, 5), scale=0.0123, zero_point=-17),
        ),
        (
            ("FULLY_CONNECTED", (0, 2, -1), (4,)),
            ("FULLY_CONNECTED", (1, 3, -1), (5,)),
            ("ADD", (4, 5), (6,)),
        ),
        inputs=(0, 1),
        outputs=(6,),
    )


def lstm_model(folder: Path) -> Path:
    """An LSTM whose steps are sliced by int32 arithmetic, so that ADD is not int8 everywhere."""
    rng = np.random.default_rng(4)
    return write_model(
        folder / "lstm.tflite",
        (
            T("window", (1, 10, 21)),
            T("w", (4, 21), zero_point=0, content=rng.bytes(84)),
            T("h", (1, 10, 4)),
            T("i", (1,), dtype="int32", scale=None),
            T("j", (1,), dtype="int32", scale=None),
            T("sum", (1, 10, 4)),
            T("logits", (1, 4)),
        ),
        (
            ("UNIDIRECTIONAL_SEQUENCE_LSTM", (0, 1, 1, 1, 1, 1, 1, 1, 1), (2,)),
            ("ADD", (3, 3), (4,)),
            ("ADD", (2, 2), (5,)),
            ("STRIDED_SLICE", (5, 4, 4, 4), (6,)),
        ),
        inputs=(0,),
        outputs=(6,),
    )


def golden(model: TfliteModel, n_windows: int) -> Golden:
    """Random int8 values in the model's shapes: for the C sources, any values will do."""
    rng = np.random.default_rng(11)

    def values(index: int) -> np.ndarray:
        shape = (n_windows, *model.tensors[index].shape[1:])
        return rng.integers(-128, 128, shape).astype(np.int8)

    return Golden(
        inputs=tuple(values(index) for index in model.inputs),
        outputs=values(model.outputs[0]),
        labels=tuple(range(n_windows)),
    )


def front_end(model: TfliteModel) -> FrontEndConstants:
    """An sEMG stream with every step, and a plain accelerometer, for the two-input model."""
    emg = StreamFrontEnd(band_pass_hz=(20.0, 90.0), notch_hz=(50.0,), envelope_hz=8.0, rate_hz=80.0)
    names = tuple(f"EMG {i}" for i in range(6))
    axes = tuple(f"{sensor} {axis}" for sensor in (1, 2, 3) for axis in "xyz")
    streams = (
        design_stream("emg", emg, channels=names, source_rate_hz=200.0, unit="µV", lsb=0.5),
        design_stream("acc", StreamFrontEnd(), channels=axes, source_rate_hz=50.0, unit="g"),
    )
    layouts = tuple(
        InputLayout(model.tensors[i].name, ("acc",) if n else ("emg",), model.tensors[i].shape[1:])
        for n, i in enumerate(model.inputs)
    )
    # The other order than the model's: the export must put them right.
    emg_scaled = replace(streams[0], mean=(2.5,) * 6, scale=(1 / 7,) * 6)
    return FrontEndConstants(streams=(emg_scaled, streams[1]), inputs=layouts[::-1])


def three_sensors() -> FrontEndConstants:
    """sEMG 3 x 1111 Hz and IMU 18 x 148 Hz, as the seed's single model takes them."""
    emg = StreamFrontEnd(band_pass_hz=(20, 450), envelope_hz=8, rate_hz=148.148148)
    facts = {"emg": (emg, EMG_HZ, 3), "acc": (StreamFrontEnd(), IMU_HZ, 9)}
    facts["gyr"] = (StreamFrontEnd(), IMU_HZ, 9)
    streams = tuple(
        replace(
            design_stream(
                name,
                settings,
                channels=tuple(f"{name}{i}" for i in range(channels)),
                source_rate_hz=rate_hz,
                lsb=2.0**-13,
            ),
            mean=(0.1,) * channels,
            scale=(2.0,) * channels,
        )
        for name, (settings, rate_hz, channels) in facts.items()
    )
    return FrontEndConstants(streams, (InputLayout("t0_0", tuple(facts), (10, 40, 21)),))


def side_by_side(windows: Sequence[Counts], constants: FrontEndConstants) -> np.ndarray:
    """Python's front end on many windows of one model input at once, as if they were channels.

    It goes sample by sample, and does the same to each channel.

    Returns:
        (windows, *shape of the input) float32.
    """
    (layout,) = constants.inputs
    joined = []
    for stream in constants.streams:
        wide = replace(stream, mean=len(windows) * stream.mean, scale=len(windows) * stream.scale)
        counts = np.concatenate([window[stream.name] for window in windows], axis=1)
        values = single_stream(counts, wide, stream.lsb, layout_samples(layout))
        joined.append(values.reshape(len(values), len(windows), -1).transpose(1, 0, 2))
    return np.concatenate(joined, axis=2).reshape(len(windows), *layout.shape)


def dense_model(path: Path) -> Path:
    """One dense layer over a window of 10 x 40 x 21."""
    rng = np.random.default_rng(1)
    model = OperatorModel()
    window = model.input(Quantised((1, 10, 40, 21), 0.03, 4))
    weights = model.constant(rng.integers(-127, 128, (6, 8400), dtype=np.int8), scale=0.01)
    bias = model.constant(rng.integers(-99, 99, 6, dtype=np.int32), scale=0.03 * 0.01)
    output = model.output(Quantised((1, 6), 1.5, -3))
    model.operator(
        "FULLY_CONNECTED", (window, weights, bias), (output,), options_of("FullyConnectedOptions")
    )
    path.write_bytes(model.content())
    return path


def settings_for(path: Path, **changes) -> FirmwareSettings:
    """Settings with everything in them, for the model at `path`."""
    model = read_tflite(path)
    n_outputs = model.tensors[model.outputs[0]].shape[-1]
    values = {
        "name": "two-input */ student",
        "labels": LABELS[:n_outputs],
        "arena_bytes": 9000,
        "arena_how": "smallest arena that ran, by bisection, on x86-64",
        "front_end": front_end(model) if len(model.inputs) == 2 else None,
        "golden": golden(model, 5),
        "synthetic": True,
        "generator": "kd-edge test",
        "golden_count": 3,
    }
    return FirmwareSettings(**values | changes)


def run(*command: object, stdin: bytes = b"") -> bytes:
    """Standard output of a command that must succeed; its complaint otherwise."""
    done = subprocess.run(
        [str(part) for part in command], input=stdin, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert not done.stderr, done.stderr.decode()
    return done.stdout
