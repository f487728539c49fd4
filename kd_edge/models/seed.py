"""The four sign models of the seed projects: convolutions in each step, then two LSTMs.

Their TimeDistributed(Conv1D) is a Conv2D with a (1, k) kernel over (step, sample, channel) here:
the same mathematics and weights in one operator instead of one for each step.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import layers

from kd_edge.models.inputs import as_steps, check_option, make_inputs, too_short
from kd_edge.models.layers import FastLSTM, FusionDense


def _seed_builder(
    name: str,
    default_filters: tuple[int, int],
    default_units: int,
    default_kernel: int,
    default_pool: int,
) -> Callable[..., keras.Model]:
    def build(
        input_shapes: dict[str, tuple[int, ...]],
        n_classes: int,
        *,
        filters: tuple[int, ...] = default_filters,
        units: int = default_units,
        kernel: int = default_kernel,
        pool: int = default_pool,
        dropout: float = 0.2,
        steps: int = 10,
    ) -> keras.Model:
        """A branch an input, joined by one Dense.

        Args:
            filters: of each convolution.
            units: of both LSTMs.
            kernel, pool: samples, of each convolution and the mean after it.
            dropout: of the LSTMs' inputs and states, and before the last layer.
            steps: parts that an input of shape (samples, channels) is cut into.
        """
        sizes = {"units": units, "kernel": kernel, "pool": pool, "steps": steps}
        sizes |= {f"filters[{index}]": width for index, width in enumerate(filters)}
        for option, value in sizes.items():
            check_option(option, value, 1)
        check_option("dropout", dropout, 0.0, 0.9)
        inputs = make_inputs(input_shapes)
        branches = []
        for key, given in inputs.items():
            x = _step_features(as_steps(given, key, steps), key, filters, kernel, pool)
            branches.append(_recurrent(x, key, units, dropout))
        if len(branches) == 1:
            logits = layers.Dense(n_classes, name="logits")(branches[0])
        else:
            logits = FusionDense(n_classes, name="logits")(branches)
        return keras.Model(list(inputs.values()), logits, name=name)

    return build


# With the seeds' inputs and 50 classes: 139,666 and 34,306 parameters in all, 693,170 trainable
# ones, 168,432 in all.
single_teacher = _seed_builder("seed_single_teacher", (12, 24), 100, 7, 3)
single_student = _seed_builder("seed_single_student", (2, 4), 50, 7, 3)
multi_expert_teacher = _seed_builder("seed_multi_expert_teacher", (12, 24), 100, 7, 3)
multi_expert_student = _seed_builder("seed_multi_expert_student", (2, 4), 50, 4, 2)


def _step_features(x, name: str, filters: tuple[int, ...], kernel: int, pool: int):
    for index, width in enumerate(filters):
        if x.shape[2] < kernel + pool - 1:
            raise too_short(name, x.shape[2], f"kernel {kernel} and pool {pool} in each step")
        x = layers.Conv2D(width, (1, kernel), activation="sigmoid", name=f"{name}_conv_{index}")(x)
        x = layers.AveragePooling2D((1, pool), name=f"{name}_pool_{index}")(x)
    return layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]), name=f"{name}_flatten")(x)


def _recurrent(x, name: str, units: int, dropout: float):
    for index, sequences in enumerate((True, False)):
        x = FastLSTM(
            units,
            return_sequences=sequences,
            dropout=dropout,
            recurrent_dropout=dropout,
            name=f"{name}_lstm_{index}",
        )(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.Dropout(dropout, name=f"{name}_dropout")(x)
