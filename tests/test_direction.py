"""One direction: a module imports only from its left. Oracle: the source itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ORDER = (
    "kd_edge.errors",
    "kd_edge.untrusted",
    "kd_edge.files",
    "kd_edge.processes",
    "kd_edge.plotting",
    "kd_edge.sources",
    "kd_edge.recipe",
    "kd_edge.signals",
    "kd_edge.frontend",
    "kd_edge.windows",
    "kd_edge.splits",
    "kd_edge.models",
    "kd_edge.distill",
    "kd_edge.convert",
    "kd_edge.runtimes",
    "kd_edge.measure",
    "firmware_export",
    "kd_edge.link",
    "kd_edge.report",
    "kd_edge.live",
    "kd_edge.pipeline",
    "kd_edge.cli",
)
ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*ROOT.glob("kd_edge/**/*.py"), *ROOT.glob("firmware_export/**/*.py")])
HEAVY = {"tensorflow", "keras", "sklearn", "matplotlib", "pandas", "scipy"}


def rank(module: str) -> int | None:
    """Place in the order; None for what stands outside it (the package itself, other packages)."""
    for position, layer in enumerate(ORDER):
        if module == layer or module.startswith(layer + "."):
            return position
    return None


def imports(path: Path, *, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_a_module_imports_only_from_its_left(path):
    own = rank(module_name(path))
    if own is None:
        pytest.skip("stands outside the order")
    right = {name for name in imports(path) if (rank(name) or 0) > own}
    assert not right


def test_starting_the_command_line_imports_nothing_heavy():
    """Oracle: the interpreter's own list of loaded modules, in a fresh process."""
    import subprocess
    import sys

    code = "import sys, kd_edge.cli; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(loaded.stdout.split())
