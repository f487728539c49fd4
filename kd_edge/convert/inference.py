"""A Keras model's inference as a TensorFlow function, for converters other than TensorFlow's."""

from __future__ import annotations

from collections.abc import Sequence

from kd_edge.convert import fused


def inference(model, input_order: Sequence[str], output: str):
    """The model as a function of tensors in the order asked for, and their specifications.

    Args:
        input_order: inputs by name; the specifications are called 'input_0', 'input_1', …
        output: what the answer is called.
    """
    import tensorflow as tf

    shapes = {tensor.name: (1, *tensor.shape[1:]) for tensor in model.inputs}
    specs = [
        tf.TensorSpec(shapes[name], tf.float32, f"input_{index}")
        for index, name in enumerate(input_order)
    ]

    def infer(*tensors):
        by_name = dict(zip(input_order, tensors, strict=True))
        with fused.weights_as_constants(model):
            given = [by_name[tensor.name] for tensor in model.inputs]
            return {output: model(given, training=False)}

    return tf.function(infer, autograph=False), specs
