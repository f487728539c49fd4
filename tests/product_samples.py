"""Products of hand-made models: small, quantised differently, with every rule."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
from tflite_samples import GraphBuilder, options_of

from firmware_export.settings import FirmwareSettings, Golden
from kd_edge.base.composition import Composition
from kd_edge.base.front_end import FrontEndConstants, InputLayout
from kd_edge.base.product import Product, read_product
from kd_edge.frontend import StreamFrontEnd, design_stream
from kd_edge.runtimes.composed import open_product

N_CLASSES = 4
EMG, ACC = 24, 6


def dense(path: Path, inputs: dict, n_scores: int, output: tuple[float, int], *, seed: int) -> Path:
    """A dense layer over each input, and their sum; the weights are random.

    Args:
        inputs: name -> (values, or shape of one window; scale, zero point).
        output: scale and zero point.
    """
    rng = np.random.default_rng(seed)
    graph = GraphBuilder()
    entries, sums = [], []
    for name, (shape, scale, zero_point) in inputs.items():
        window = (shape,) if isinstance(shape, int) else shape
        size = prod(window)
        entry = graph.tensor(name, (1, *window), "int8", scale=scale, zero_point=zero_point)
        weights = graph.constant(
            "w", rng.integers(-127, 128, (n_scores, size), dtype=np.int8), scale=0.01
        )
        bias = graph.constant(
            "b", rng.integers(-90, 90, n_scores, dtype=np.int32), scale=scale * 0.01
        )
        own = (output[0], output[1]) if len(inputs) == 1 else (0.1, 2)
        found = graph.tensor("s", (1, n_scores), "int8", scale=own[0], zero_point=own[1])
        options = options_of("FullyConnectedOptions")
        graph.operator("FULLY_CONNECTED", (entry, weights, bias), (found,), options)
        entries.append(entry)
        sums.append(found)
    if len(sums) > 1:
        total = graph.tensor("t", (1, n_scores), "int8", scale=output[0], zero_point=output[1])
        graph.operator("ADD", sums, (total,), options_of("AddOptions"))
        sums = [total]
    path.write_bytes(graph.content(entries, sums))
    return path


def models(folder: Path) -> dict[str, Path]:
    """Three models that answer, and a selector of each kind."""
    folder.mkdir(parents=True, exist_ok=True)
    emg, other_emg, acc = (EMG, 0.02, 3), (EMG, 0.05, -7), (ACC, 0.1, 0)
    made = {
        "tiny": ({"emg": emg}, N_CLASSES, (0.02, -5), 1),
        "large one": ({"acc": acc, "emg": emg}, N_CLASSES, (0.07, 20), 2),
        "Tiny!": ({"emg": other_emg}, N_CLASSES, (0.05, 0), 3),
        "which": ({"acc": acc}, 3, (0.3, -100), 4),
        "switch": ({"acc": acc}, 1, (0.05, 10), 5),
    }
    return {
        name: dense(folder / f"{number}.tflite", inputs, n, output, seed=seed)
        for number, (name, (inputs, n, output, seed)) in enumerate(made.items())
    }


THREE = ("tiny", "large one", "Tiny!")
RULES = {
    "average": Composition("average", THREE),
    "cascade": Composition("cascade", THREE, least_margins=(40, 25)),
    "selector": Composition("selector", THREE, selector="which"),
    "switch": Composition("selector", THREE[:2], selector="switch", threshold=12),
}


def product(folder: Path, rule: str) -> Product:
    return read_product(models(folder), RULES[rule])


def front_end() -> FrontEndConstants:
    """One sample of each sensor is a window, as it comes."""
    sizes = {"emg": EMG, "acc": ACC}
    streams = tuple(
        design_stream(
            name,
            StreamFrontEnd(),
            channels=tuple(f"{name}{i}" for i in range(n)),
            source_rate_hz=100.0,
            lsb=2.0**-12,
        )
        for name, n in sizes.items()
    )
    layouts = tuple(InputLayout(name, (name,), (n,)) for name, n in sizes.items())
    return FrontEndConstants(streams, layouts)


def settings(of: Product, n_golden: int = 40) -> FirmwareSettings:
    """With golden vectors of random windows, which the models' own interpreters answered."""
    session = open_product(of, "tflm")
    rng = np.random.default_rng(9)
    inputs = tuple(
        rng.integers(-128, 128, (n_golden, *spec.shape[1:])).astype(np.int8)
        for spec in session.inputs
    )
    answers = [session.run([array[i : i + 1] for array in inputs]) for i in range(n_golden)]
    golden = Golden(
        inputs,
        np.concatenate([scores for scores, _ in answers]),
        (0,) * n_golden,
        np.concatenate([who.reshape(1) for _, who in answers]),
    )
    return FirmwareSettings(
        name="several models",
        labels=tuple("abcd"),
        arena_bytes=3000,
        arena_how="made up",
        front_end=None,
        golden=golden,
        synthetic=True,
        generator="kd-edge 1.2.3",
        golden_count=n_golden,
        arenas=(1000,) * len(of.members),
    )
