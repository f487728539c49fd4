"""Public functions that take or return arrays state shape and unit. Oracle: the source itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("kd_edge", "firmware_export")
# Of firmware_export, a Tensor is a line of a graph, not an array.
_ARRAY = {"kd_edge": r"\b(ndarray|Tensor|Counts)\b", "firmware_export": r"\b(ndarray|Counts)\b"}
# (n, channels), (n,), (..., classes), (2,); or words for any shape.
_AXIS = r"(?:\.\.\.|…|\[?\*?[\w./]+(?: ?[-+*/] ?[\w./()]+)*(?: [\w]+){0,3},?\]?)"
_SHAPE = re.compile(rf"\(\.\.\.\)|\((?:{_AXIS},|{_AXIS}(?:, {_AXIS})+)\)|scalar|\bshapes?\b")
# What the numbers are: a physical unit, a type that is all there is to say, or a kind of number.
_UNIT = re.compile(
    r"\b(units?|ints?|s|ms|µs|Hz|mV|g|deg/s|rad|N|counts?|nats|bytes?|pixels?|steps?"
    r"|u?int\d+|float32|float64|bool|str|names?|words"
    r"|logits|scores?|probabilit(?:y|ies)|0 to 1|shares?|weights?|samples?|values"
    r"|class(?:es)?|labels?|index|indices|truth)\b"
)


def functions() -> Iterator[tuple[str, ast.FunctionDef, str]]:
    """Name, node and docstring of each public function and method of a public class."""
    for package in PACKAGES:
        for path in sorted(ROOT.glob(f"{package}/**/*.py")):
            yield from _inside(ast.parse(path.read_text("utf-8")), str(path.relative_to(ROOT)))


def _inside(node: ast.AST, place: str) -> Iterator[tuple[str, ast.FunctionDef, str]]:
    for child in node.body:
        if not isinstance(child, ast.ClassDef | ast.FunctionDef) or child.name.startswith("_"):
            continue
        if isinstance(child, ast.ClassDef):
            yield from _inside(child, f"{place}:{child.name}")
        elif said := ast.get_docstring(child):
            yield f"{place}:{child.name}", child, said
        elif not (isinstance(node, ast.ClassDef) and node.bases):  # else the base class says it
            yield f"{place}:{child.name}", child, ""


def deals_with_arrays(name: str, function: ast.FunctionDef) -> bool:
    arrays = _ARRAY[name.partition("/")[0]]
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    written = [*(arg.annotation for arg in named), function.returns]
    return any(re.search(arrays, ast.unparse(each)) for each in written if each)


OF_ARRAYS = {name: said for name, node, said in functions() if deals_with_arrays(name, node)}


@pytest.mark.parametrize("what", [_SHAPE, _UNIT], ids=["shape", "unit"])
def test_a_function_of_arrays_states_the(what):
    assert len(OF_ARRAYS) > 100
    assert [name for name, said in OF_ARRAYS.items() if not what.search(said)] == []


def test_a_record_of_arrays_states_the_shape_of_each():
    """Of each field of a public class that is an array, in the class's docstring."""
    silent = []
    for package in PACKAGES:
        for path in sorted(ROOT.glob(f"{package}/**/*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    said = ast.get_docstring(node) or ""
                    silent += [
                        f"{path.relative_to(ROOT)}:{node.name}.{field.target.id}"
                        for field in node.body
                        if isinstance(field, ast.AnnAssign)
                        and "ndarray" in ast.unparse(field.annotation)
                        and not _described(said, field.target.id)
                    ]
    assert silent == []


def _described(docstring: str, field: str) -> bool:
    """Whether the line that begins with the field's name goes on to a shape."""
    found = re.search(
        rf"^ *(?:[\w, ]+, )?{field}(?:, [\w, ]+)?: (.*(?:\n {{8,}}.*)*)", docstring, re.M
    )
    return bool(found and _SHAPE.search(found[1]))


@pytest.mark.parametrize(
    ("docstring", "is_shape"),
    [("(n, channels) in mV", True), ("(…, samples)", True), ("(n,) index", True),
     ("(ceil(n * up / down), 2)", True), ("the samples (of one window)", False),
     ("(training)", False), ("", False)],
)  # fmt: skip
def test_a_shape_is_known_from_other_brackets(docstring, is_shape):
    assert bool(_SHAPE.search(docstring)) == is_shape
