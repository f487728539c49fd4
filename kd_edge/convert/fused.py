"""A Keras model's inference as TensorFlow operations that the TFLite converter fuses.

Run in the converter's child process only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kd_edge.base.errors import KdEdgeError


@dataclass(frozen=True)
class _Pieces:
    """The inputs of a concatenation that the Dense layer behind it takes one by one."""

    values: tuple


def run(model, inputs: Sequence, *, grids: bool):
    """Answers of a functional Keras model to one window, LSTM layers in the fusable form.

    Called while tracing, inside `weights_as_constants`.

    A Dense over a concatenation of LSTM outputs becomes a sum of one product for each: the int8
    converter mis-scales the concatenation without a word.

    Args:
        model: a functional Keras model with one output.
        inputs: TensorFlow tensors with a batch of 1, in the order of `model.inputs`.
        grids: whether the grids that the model states are told to the converter.

    Returns:
        (1, n_classes) TensorFlow tensor.

    Raises:
        KdEdgeError KD_CONVERTER_REFUSED: a layer that has no fused form, named.
    """
    split = _concatenations_to_split(model)
    return model._run_through_graph(
        list(inputs), operation_fn=lambda operation: _substitute(operation, split, grids)
    )


def weights_as_constants(model):
    """A context, to be opened while tracing, in which the model's weights are constants."""
    import keras
    import tensorflow as tf

    with tf.init_scope():  # where variables have values
        values = [(variable, variable.numpy()) for variable in model.variables]
    return keras.StatelessScope(state_mapping=values)


def lstm_layers(model) -> list:
    """The LSTM layers of a model and of the models inside it."""
    import keras

    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += lstm_layers(layer)
        elif isinstance(layer, keras.layers.LSTM):
            found.append(layer)
    return found


def _substitute(operation, split: frozenset[int], grids: bool):
    import keras

    from kd_edge.models.grid import Grid

    if isinstance(operation, keras.layers.LSTM):
        return _fused_lstm(operation)
    if isinstance(operation, keras.Model):
        return lambda *inputs, **_: run(operation, keras.tree.flatten(inputs), grids=grids)
    if id(operation) in split:
        return lambda values, **_: _Pieces(tuple(values))
    if isinstance(operation, keras.layers.Dense):
        return _dense_of_pieces(operation)
    if isinstance(operation, keras.layers.Dropout | Grid):
        return _passed(operation, told=grids)
    return operation


def _passed(layer, *, told: bool):
    """A layer that does nothing; a grid may tell the converter a tensor's scale and zero point."""
    import tensorflow as tf

    from kd_edge.models.grid import Grid

    if not (isinstance(layer, Grid) and told):
        return lambda values, **_: values
    return lambda values, **_: tf.quantization.fake_quant_with_min_max_args(
        values, layer.low, layer.high
    )


def _dense_of_pieces(layer):
    def call(values, **kwargs):
        if not isinstance(values, _Pieces):
            return layer(values, **kwargs)
        import tensorflow as tf

        kernel, start, total = layer.kernel.value, 0, None
        with tf.name_scope(layer.name):
            for value in values.values:
                rows = kernel[start : start + value.shape[-1]]
                product = tf.matmul(value, rows)
                if total is None:
                    total = product + layer.bias.value if layer.use_bias else product
                else:
                    total = total + product
                start += value.shape[-1]
            return layer.activation(total)

    return call


# --- the fused LSTM ---


def _fused_lstm(layer):
    """The layer as a function that the converter recognises by its attributes.

    It must take (x, h0, c0, kernel, recurrent kernel, bias) and return five values, of which only
    the first two (last output, all outputs) may be used.
    """
    import tensorflow as tf

    _check_lstm(layer)
    units, use_all = layer.units, layer.return_sequences
    cell = layer.cell
    bias = cell.bias.value if layer.use_bias else tf.zeros(4 * units)
    weights = (cell.kernel.value, cell.recurrent_kernel.value, bias)

    @tf.function(
        autograph=False,
        experimental_attributes={
            "api_implements": f"lstm_{_identifier(layer.name)}",
            "api_preferred_device": "CPU",
            "time_major": False,
            "go_backwards": False,
        },
    )
    def lstm(x, h0, c0, kernel, recurrent_kernel, bias):
        steps = x.shape[1]

        def step(t, h, c, outputs):
            z = tf.matmul(x[:, t], kernel) + tf.matmul(h, recurrent_kernel) + bias
            i, f, g, o = tf.split(z, 4, axis=1)  # Keras' order of the gates
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            return t + 1, h, c, outputs.write(t, h)

        outputs = tf.TensorArray(tf.float32, size=steps, element_shape=(1, units))
        first = (tf.constant(0), h0, c0, outputs)
        _, h, c, outputs = tf.while_loop(lambda t, *_: t < steps, step, first)
        sequence = tf.ensure_shape(tf.transpose(outputs.stack(), (1, 0, 2)), (1, steps, units))
        return h, sequence, h, c, tf.constant(0.0)

    def call(x, initial_state=None, mask=None, **_):
        if initial_state is not None or mask is not None:
            raise _refused(layer, "an initial state or a mask")
        with tf.name_scope(layer.name):
            state = tf.zeros((1, units))
            last, sequence, *_ = lstm(x, state, state, *weights)
        return sequence if use_all else last

    return call


def _check_lstm(layer) -> None:
    for name, wanted in (("activation", "tanh"), ("recurrent_activation", "sigmoid")):
        if getattr(layer, name).__name__ != wanted:
            raise _refused(layer, f"{name} '{getattr(layer, name).__name__}', not '{wanted}'")
    for name in ("go_backwards", "stateful", "return_state"):
        if getattr(layer, name):
            raise _refused(layer, f"{name}=True")


def _refused(layer, what: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_CONVERTER_REFUSED",
        f"the LSTM layer '{layer.name}' has {what}, which TFLite's fused LSTM cannot do",
        where=f"layer '{layer.name}'",
        hint="use a plain LSTM: tanh, sigmoid, forwards, a fresh state for each window",
    )


def _identifier(name: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in name)


# --- concatenations of LSTM outputs ---


def _concatenations_to_split(model) -> frozenset[int]:
    """Ids of Concatenate layers behind an LSTM whose output goes to Dense layers alone."""
    import keras

    outputs = {id(tensor) for tensor in model.outputs}
    found = set()
    for operation in model.operations:
        if not isinstance(operation, keras.layers.Concatenate) or operation.output is None:
            continue
        tensor = operation.output
        flat = len(tensor.shape) == 2 and id(tensor) not in outputs
        if flat and _ends_in_dense(model, tensor, outputs) and _behind_lstm(tensor):
            found.add(id(operation))
    return frozenset(found)


def _ends_in_dense(model, tensor, outputs: set[int]) -> bool:
    import keras

    consumers = [op for op in model.operations if _takes(op, tensor)]
    for op in consumers:
        if isinstance(op, keras.layers.Dropout) and id(op.output) not in outputs:
            if not _ends_in_dense(model, op.output, outputs):
                return False
        elif not isinstance(op, keras.layers.Dense):
            return False
    return bool(consumers)


def _takes(operation, tensor) -> bool:
    nodes = operation._inbound_nodes
    return any(given is tensor for node in nodes for given in node.input_tensors)


def _behind_lstm(tensor, seen: set[int] | None = None) -> bool:
    import keras

    seen = set() if seen is None else seen
    if id(tensor) in seen:
        return False
    seen.add(id(tensor))
    operation, node_index, _ = tensor._keras_history
    if isinstance(operation, keras.layers.LSTM):
        return True
    if isinstance(operation, keras.Model) and lstm_layers(operation):
        return True
    inputs = operation._inbound_nodes[node_index].input_tensors
    return any(_behind_lstm(given, seen) for given in inputs)
