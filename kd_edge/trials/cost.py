"""What a student would need on a board, before it is trained: bytes, memory and work."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from firmware_export.aot.cores import CORES
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.formats import SHIPPED
from kd_edge.base.sources import code_digest
from kd_edge.examples import Examples
from kd_edge.pipeline.instructions import estimated_instructions
from kd_edge.pipeline.stages import key_of
from kd_edge.pipeline.store import Store
from kd_edge.recipe import Budget, Model

# Windows of noise that stand for training windows: they set scales, not sizes.
_CALIBRATION_WINDOWS = 16


@dataclass(frozen=True)
class Cost:
    """What a student needs; None is not known, or was not asked for.

    Attributes:
        int8_bytes: of its `.tflite`, exact.
        arena_bytes: that TFLite Micro's interpreter uses, on this host.
        macs: multiply-accumulates a window.
        instructions: a window, as plain C on the budget's core, from measured rates.
    """

    int8_bytes: int
    arena_bytes: int | None
    macs: int | None
    instructions: int | None


def measure_cost(model: Model, examples: Examples, budget: Budget, store: Store) -> Cost:
    """Convert a student with weights as if trained, and measure the file.

    Training changes the numbers in it, not how many there are: only the first biases, all 0, would
    stand once.

    Args:
        examples: of the shapes that it takes, with its inputs alone.
        budget: the arena and the instructions are measured if it limits them.
        store: where the figures are kept.

    Raises:
        KdEdgeError: the model does not fit the shapes, or the converter refuses it.
    """
    key = key_of(
        code_digest(__name__),
        model.model_dump(mode="json", include={"model", "options"}),
        examples.input_shapes,
        len(examples.class_names),
        budget.arena_bytes is not None,
        budget.core,
    )
    with store.at(key, f"cost of {model.name}") as slot:
        found = slot.take(lambda entry: Cost(**entry.value))
        if found is None:
            found = _measured(model, examples, budget)
            slot.keep(asdict(found))
    return found


def _measured(model: Model, examples: Examples, budget: Budget) -> Cost:
    from kd_edge.convert.tflite import to_tflite
    from kd_edge.measure.arena import measure_arena
    from kd_edge.measure.size import measure_size
    from kd_edge.models import build_model

    shapes = examples.input_shapes
    network = build_model(
        model.model,
        input_shapes=shapes,
        n_classes=len(examples.class_names),
        seed=0,
        options=model.options,
    )
    random = np.random.default_rng(0)
    for weight in network.weights:
        weight.assign(weight + random.uniform(0.01, 0.1, weight.shape))
    noise = {
        name: random.normal(size=(_CALIBRATION_WINDOWS, *shape)).astype(np.float32)
        for name, shape in shapes.items()
    }
    with tempfile.TemporaryDirectory(prefix="kd-edge-cost-") as name:
        keras_file, file = Path(name, "student.keras"), Path(name, "student.tflite")
        network.save(keras_file)
        to_tflite(keras_file, file, fmt=SHIPPED, input_order=tuple(shapes), calibration=noise)
        size = measure_size(file)
        return Cost(
            int8_bytes=size.file_bytes,
            arena_bytes=measure_arena(file).used_bytes if budget.arena_bytes else None,
            macs=size.macs,
            instructions=estimated_instructions(file, budget.core) if budget.core else None,
        )


def check_budget(budget: Budget) -> None:
    """Look up the core that instructions are counted on.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: no such core. KD_RECIPE_VALUE: nothing is known of its speed.
    """
    if budget.core is None:
        return
    core = CORES.find(budget.core, where="search.budget.core")
    if core.timing is None:
        timed = [name for name, each in CORES.items() if each.timing is not None]
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"how many instructions kernels take on '{core.name}' was not measured",
            where="search.budget.core",
            hint=f"cores with measured rates: {', '.join(timed)}; or limit macs",
        )


def beyond(cost: Cost, budget: Budget) -> dict[str, float]:
    """The limits that a student breaks -> by how much, as a share of the limit.

    What is limited and not known counts as twice the limit: nothing shows that it is held.
    """
    limits = budget.model_dump(exclude={"core"}, exclude_none=True)
    found = asdict(cost)
    shares = {
        name: 1.0 if found[name] is None else found[name] / limit - 1
        for name, limit in limits.items()
    }
    return {name: share for name, share in shares.items() if share > 0}
