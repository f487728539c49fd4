"""Files, functions and folders stay small and in order. Oracle: the source itself."""

from __future__ import annotations

import ast
import functools

import pytest
from test_direction import ROOT, SOURCES, imports

MOST_LINES = 400
MOST_OF_A_FUNCTION = 60
FOLDERS = ("kd_edge", "firmware_export", "tests", "benchmarks")
PYTHON = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
C = [
    path
    for folder in FOLDERS
    for ending in ("c", "h", "cc", "cpp")
    for path in sorted((ROOT / folder).rglob(f"*.{ending}"))
]


def long_functions(source: str) -> list[str]:
    """Functions and methods over the limit, with their lines, decorators not counted."""
    return [
        f"{node.name}: {node.end_lineno - node.lineno + 1}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > MOST_OF_A_FUNCTION
    ]


def test_no_file_is_over_400_lines():
    assert len(PYTHON) > 300
    assert len(C) > 50
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in (*PYTHON, *C)}
    over = {str(path.relative_to(ROOT)): n for path, n in lines.items() if n > MOST_LINES}
    assert over == {}


def test_no_function_is_over_60_lines():
    found = {path: long_functions(path.read_text("utf-8")) for path in PYTHON}
    assert {str(path.relative_to(ROOT)): names for path, names in found.items() if names} == {}


def test_a_long_function_is_seen_wherever_it_stands():
    body = "\n".join(["            x = 1"] * MOST_OF_A_FUNCTION)
    source = f"class A:\n    def f(self):\n        async def g():\n{body}\n"
    assert long_functions(source) == [
        f"f: {MOST_OF_A_FUNCTION + 2}",
        f"g: {MOST_OF_A_FUNCTION + 1}",
    ]


# --- cycles ---


@functools.cache
def depends() -> dict[str, set[str]]:
    """Module -> our modules that it imports, in any form and anywhere in it."""
    return {
        module: imports(path.read_text("utf-8"), module, is_package=path.name == "__init__.py")
        & SOURCES.keys()
        for module, path in SOURCES.items()
    }


def inside(package: str, graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The parts of a package, files and folders alike -> those of its parts that they import."""
    start = package + "."
    parts: dict[str, set[str]] = {}
    for module, named in graph.items():
        if module.startswith(start):
            part = module.removeprefix(start).partition(".")[0]
            others = {n.removeprefix(start).partition(".")[0] for n in named if n.startswith(start)}
            parts.setdefault(part, set()).update(others - {part})
    return parts


def circle(start: str, graph: dict[str, set[str]]) -> list[str]:
    """The shortest way from a node back to itself; empty if there is none."""
    ways = [[start]]
    seen = set()
    for way in ways:
        for node in sorted(graph.get(way[-1], ())):
            if node == start:
                return way
            if node not in seen:
                seen.add(node)
                ways.append([*way, node])
    return []


PACKAGES = sorted(name for name, path in SOURCES.items() if path.name == "__init__.py")


@pytest.mark.parametrize("package", PACKAGES)
def test_folders_inside_a_package_import_each_other_in_no_circle(package):
    folders = [name.rpartition(".")[2] for name in PACKAGES if name.rpartition(".")[0] == package]
    parts = inside(package, depends())
    assert [found for folder in folders if (found := circle(folder, parts))] == []


@pytest.mark.parametrize(
    ("graph", "found"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, []),
        ({"a": {"elsewhere"}}, []),
        ({"a": {"b"}, "b": {"c", "d"}, "c": {"e"}, "d": {"a"}, "e": {"b"}}, ["a", "b", "d"]),
    ],
)
def test_a_circle_through_a_folder_is_found(graph, found):
    """Oracle: small graphs by hand."""
    assert circle("a", graph) == found


def test_parts_of_a_package_are_files_and_folders():
    graph = {"p.a": {"p.b.x", "q.c"}, "p.b.x": {"p.b.y"}, "p.b.y": {"p.a"}, "q.c": {"p.a"}}
    assert inside("p", graph) == {"a": {"b"}, "b": {"a"}}
    assert circle("b", inside("p", graph)) == ["b", "a"]
