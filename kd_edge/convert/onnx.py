"""Keras to ONNX by tf2onnx; run in the converter's child process only."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from kd_edge.base.errors import KdEdgeError, require
from kd_edge.base.onnx import EXTRA, graphs_of, inner_graphs, read_onnx
from kd_edge.convert.inference import inference

# The newest that tf2onnx 1.17 was tested with; onnxruntime knows it since 1.14.
OPSET = 18
OUTPUT = "logits"
_COPY = "Identity"


def to_onnx(model, input_order: Sequence[str]) -> bytes:
    """A functional Keras model as an ONNX file: a batch of 1, inputs by name, output 'logits'.

    An LSTM becomes a loop over its steps, from a fresh state in each run. The same model gives the
    same bytes: tf2onnx's names hold counters of the process, so they are given anew.

    Raises:
        KdEdgeError KD_CONVERTER_REFUSED: a layer that tf2onnx does not know, or an input that has
            the output's name. KD_MISSING_PACKAGE: onnx or tf2onnx.
    """
    if OUTPUT in input_order:
        raise KdEdgeError(
            "KD_CONVERTER_REFUSED",
            f"an input is called '{OUTPUT}', as the output is; ONNX has one name for both",
            hint="give the input another name",
        )
    require("onnx", extra=EXTRA, purpose="conversion to ONNX")
    tf2onnx = require("tf2onnx", extra=EXTRA, purpose="conversion to ONNX")
    try:
        found, _ = tf2onnx.convert.from_function(
            *inference(model, input_order, OUTPUT), opset=OPSET
        )
        _name_anew(found, input_order)
        content = found.SerializeToString(deterministic=True)
        read_onnx(content)  # tf2onnx leaves in what it does not know
    except Exception as error:  # tf2onnx refuses with exceptions of many kinds
        said = str(error)
        if isinstance(error, KdEdgeError):
            said = error.where or error.message
        raise KdEdgeError(
            "KD_CONVERTER_REFUSED",
            f"tf2onnx refuses the model: {' '.join(said.split())[:300]}",
            hint="build the model of LSTM, convolutions, Dense and pooling layers, or leave the "
            "format out of conversion.formats",
        ) from error
    return content


def _name_anew(found, input_order: Sequence[str]) -> None:
    """Names and order that follow from the graph alone, in place."""
    graph = found.graph
    ends = {f"input_{index}": name for index, name in enumerate(input_order)}
    graph.input.sort(key=lambda given: list(ends).index(given.name))
    taken = {*input_order, OUTPUT}
    _order_states(graph)
    fresh = (name for i in itertools.count() if (name := f"t{i}") not in taken)
    _rename(graph, {**ends, OUTPUT: OUTPUT}, fresh)
    graph.name, graph.doc_string = "model", ""
    used = {node.domain for each in graphs_of(graph) for node in each.node}
    _replace(found.opset_import, [e for e in found.opset_import if e.domain in used])


def _rename(graph, outer: dict[str, str], fresh: Iterator[str]) -> None:
    """Rename what a graph makes, and sort it by who needs whom, from the outputs backwards.

    Args:
        outer: old name -> new one, of what comes from outside.
        fresh: names that nobody has.
    """
    names = dict(outer)
    for given in graph.input:
        given.name = names.setdefault(given.name, next(fresh))
    nodes, constants, _ = _in_order(graph, [each.name for each in graph.output])
    for name in (c.name for c in constants):
        names[name] = next(fresh)
    for index, node in enumerate(nodes):
        node.name = f"{node.op_type}_{index}"
        for name in filter(None, node.output):
            names.setdefault(name, next(fresh))
    for node in nodes:
        for inner in inner_graphs(node):
            inner.name = node.name
            _rename(inner, names, fresh)
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for each in (*constants, *graph.output):
        each.name = names[each.name]
    for field, kept in ((graph.node, nodes), (graph.initializer, constants)):
        _replace(field, kept)
    del graph.value_info[:]


def _order_states(graph) -> None:
    """Sort the states of every loop by what its condition and its sequences need first, in place.

    tf2onnx lists them in the order of a set of names, and copies one or the other of two alike.
    """
    for loop in (node for node in graph.node if node.op_type == "Loop"):
        (body,) = inner_graphs(loop)
        _order_states(body)
        _without_copies(body)
        states = [each.name for each in body.input[2:]]
        ends = [each.name for each in body.output]
        needed = _in_order(body, [ends[0], *ends[1 + len(states) :]])[2]
        needed += [name for name in states if name not in needed]
        order = sorted(range(len(states)), key=lambda index: needed.index(states[index]))
        for field, first in (
            *((loop.input, 2), (loop.output, 0)),
            *((body.input, 2), (body.output, 1)),
        ):
            kept = list(field)
            kept[first : first + len(order)] = [kept[first + index] for index in order]
            _replace(field, kept)
        _copy_ends(body)


def _without_copies(graph, copies: Mapping[str, str] | None = None) -> None:
    """Let everything take what a copy is of, in place; ends of the graph may be alike then."""
    copies = dict(copies or {})
    for node in _in_order(graph, [each.name for each in graph.output])[0]:
        if node.op_type == _COPY:
            copies[node.output[0]] = copies.get(node.input[0], node.input[0])
    for node in graph.node:
        node.input[:] = [copies.get(name, name) for name in node.input]
        for inner in inner_graphs(node):
            _without_copies(inner, copies)
            _copy_ends(inner)
    for each in graph.output:
        each.name = copies.get(each.name, each.name)


def _copy_ends(graph) -> None:
    """Give each end of a graph a name of its own, in place: a copy, if another has it before."""
    seen = set()
    for index, each in enumerate(graph.output):
        if each.name in seen:
            copy = graph.node.add(op_type=_COPY, input=[each.name], output=[f"{each.name}/{index}"])
            each.name = copy.output[0]
        seen.add(each.name)


def _replace(field, kept: Sequence) -> None:
    """Give a repeated field other entries, which may be its own in another order."""
    copies = [e if isinstance(e, str) else type(e).FromString(e.SerializeToString()) for e in kept]
    del field[:]
    field.extend(copies)


def _in_order(graph, ends: Sequence[str]) -> tuple[list, list, list[str]]:
    """What some results of a graph need: the nodes, each behind what it needs; the constants; and
    the names that come from elsewhere, in the order in which they are come upon."""
    makers = {name: node for node in graph.node for name in node.output}
    stored = {tensor.name: tensor for tensor in graph.initializer}
    nodes, constants, others, seen = [], [], [], set()
    waiting = [(name, False) for name in reversed(ends)]
    while waiting:
        name, ready = waiting.pop()
        node = makers.get(name)
        if ready:
            nodes.append(node)
            continue
        known = node.output[0] if node is not None else name
        if not name or known in seen:
            continue
        seen.add(known)
        if node is not None:
            waiting.append((name, True))
            waiting += [(needed, False) for needed in reversed(list(_needs(node)))]
        elif name in stored:
            constants.append(stored[name])
        else:
            others.append(name)
    return nodes, constants, others


def _needs(node) -> Iterable[str]:
    """Names that a node takes, those that its inner graphs take from outside among them."""
    yield from node.input
    for inner in inner_graphs(node):
        own = {each.name for each in inner.input}
        _, _, others = _in_order(inner, [each.name for each in inner.output])
        yield from (name for name in others if name not in own)
