"""One direction: a module imports only from its left. Oracle: the source itself."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ORDER = (
    "kd_edge.base",
    "kd_edge.signals",
    "kd_edge.images",
    "kd_edge.frontend",
    "kd_edge.splits",
    "kd_edge.examples",
    "kd_edge.tasks",
    "kd_edge.models",
    "kd_edge.distill",
    "firmware_export",
    "kd_edge.runtimes",
    "kd_edge.convert",
    "kd_edge.measure",
    "kd_edge.personalise",
    "kd_edge.link",
    "kd_edge.report",
    "kd_edge.live",
    "kd_edge.phone",
    "kd_edge.recipe",
    "kd_edge.pipeline",
    "kd_edge.trials",
    "kd_edge.cli",
    "kd_edge.__main__",
)
# The package itself gives its users everything, so that no module may read it.
LAST = "kd_edge"
PACKAGES = ("kd_edge", "firmware_export")
ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"tensorflow", "keras", "sklearn", "matplotlib", "pandas", "scipy"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module_name(path): path for package in PACKAGES for path in ROOT.glob(f"{package}/**/*.py")
}


def rank(module: str) -> int | None:
    """Place in the order; None for a module that has none."""
    if module == LAST:
        return len(ORDER)
    for position, layer in enumerate(ORDER):
        if module == layer or module.startswith(layer + "."):
            return position
    return None


def imports(source: str, module: str, *, is_package: bool = False) -> set[str]:
    """Our own modules that a source names: in an import of any form, or as the text of a string.

    Registries and child processes name modules by strings.
    """
    package = module if is_package else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            # What stands behind `from package import` is a module, or something that one holds.
            members = {f"{base}.{alias.name}" for alias in node.names}
            found |= members & SOURCES.keys() or {base}
        elif isinstance(node, ast.Constant) and node.value in SOURCES.keys() - set(PACKAGES):
            found.add(node.value)
    return {name for name in found - {module} if name.partition(".")[0] in PACKAGES}


def test_every_module_has_a_place_in_the_order_and_every_place_a_module():
    assert [name for name in SOURCES if rank(name) is None] == []
    assert [layer for layer in ORDER if layer not in SOURCES] == []


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_a_module_imports_only_from_its_left(module):
    path = SOURCES[module]
    named = imports(path.read_text("utf-8"), module, is_package=path.name == "__init__.py")
    assert {name for name in named if rank(name) is None} == set()
    assert {name for name in named if rank(name) > rank(module)} == set()


def test_the_export_of_firmware_needs_the_base_layer_alone():
    """So that it serves models that nothing else of kd-edge has seen."""
    named = {
        name
        for module, path in SOURCES.items()
        if module.startswith("firmware_export")
        for name in imports(path.read_text("utf-8"), module, is_package=path.name == "__init__.py")
    }
    assert "kd_edge.base.errors" in named
    outside = {name for name in named if name.startswith("kd_edge")}
    assert {name for name in outside if not name.startswith("kd_edge.base")} == set()


# Behind training, image sets are known where they are read, and where it is told what they hold.
READS_IMAGES = {
    "kd_edge.pipeline.dataset",
    "kd_edge.pipeline.other_data",
    "kd_edge.report.inspection",
    "kd_edge.cli.data",
}


def test_what_comes_after_training_knows_nothing_of_image_sets():
    knowing = {
        module
        for module, path in SOURCES.items()
        if rank(module) > rank("kd_edge.distill")
        and any(
            name.startswith("kd_edge.images")
            for name in imports(
                path.read_text("utf-8"), module, is_package=path.name == "__init__.py"
            )
        )
    }
    assert knowing == READS_IMAGES


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import kd_edge.cli.live as live", {"kd_edge.cli.live"}),
        ("from kd_edge import splits", {"kd_edge.splits"}),
        ("from kd_edge import __version__", {"kd_edge"}),
        ("from kd_edge.pipeline import build, NAME", {"kd_edge.pipeline.build"}),
        ("from kd_edge.base.errors import KdEdgeError", {"kd_edge.base.errors"}),
        ("from ..pipeline.gates import check", {"kd_edge.pipeline.gates"}),
        ("from .. import pipeline", {"kd_edge.pipeline"}),
        ("from . import lint", {"kd_edge.convert.lint"}),
        ("from .lint import lint", {"kd_edge.convert.lint"}),
        ("def f():\n    from ..cli import main", {"kd_edge.cli"}),
        ("from kd_edge.nowhere import x", {"kd_edge.nowhere"}),
        ("run([sys.executable, '-m', 'kd_edge.convert.child'])", {"kd_edge.convert.child"}),
        ("import numpy, kd_edgeless\nfrom scipy import signal", set()),
    ],
)  # fmt: skip
def test_an_import_is_seen_in_every_form(source, found):
    """Oracle: Python's rules, by hand, for a module kd_edge.convert.edit."""
    assert imports(source, "kd_edge.convert.edit") == found


def test_a_package_counts_dots_from_itself():
    assert imports("from . import lint", "kd_edge.convert", is_package=True) == {
        "kd_edge.convert.lint"
    }


def test_starting_the_command_line_imports_nothing_heavy():
    """Oracle: the interpreter's own list of loaded modules, in a fresh process."""
    code = "import sys, kd_edge.cli; print(*{m.split('.')[0] for m in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "kd_edge" in loaded
    assert not HEAVY & loaded
