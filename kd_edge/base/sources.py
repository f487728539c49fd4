"""What code a result rests on: a digest of a module's source and of everything that it imports.

A result that is kept under such a digest is made again once any line behind it has changed, or any
package that it imports. Paths, file times and the machine are no part of the digest.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import re
import sys
import threading
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

# The folder that holds the packages, and the packages whose source counts.
ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("kd_edge", "firmware_export")

# Modules that are named in a text, such as 'kd_edge.models.seed:single_teacher' or what `-m` takes.
_NAMED = re.compile(rf"(?:{'|'.join(PACKAGES)})(?:\.\w+)+")
# A script beside the module that names it, for a process of its own.
_SCRIPT = re.compile(r"(\w+)\.py")
# Imported name -> the package that brings it, where pip calls it otherwise.
_DISTRIBUTIONS = {"sklearn": "scikit-learn", "serial": "pyserial"}

# Python 3.11 counts the depth of a tree for all threads together: two that parse at a time end in a
# SystemError (https://github.com/python/cpython/issues/106905).
_PARSING = threading.Lock()


def code_digest(*modules: str, root: Path | None = None) -> str:
    """SHA-256 over the source of these modules and of all that they import, wherever they do.

    Of `PACKAGES` every imported module counts with its source, and every package around it; of
    other packages the installed version. Names in texts count as imports: registries and child
    processes name modules and scripts so. What is imported for type checkers alone does not run.

    Args:
        modules: dotted names.
        root: folder that holds `PACKAGES`; the running code's where None.
    """
    with _PARSING:
        return _digest(root or ROOT, modules)


@functools.cache
def _digest(root: Path, modules: tuple[str, ...]) -> str:
    seen: dict[str, str] = {}
    others: set[str] = set()
    left = list(modules)
    while left:
        name = left.pop()
        if name in seen:
            continue
        source, imported = _module(root, name)
        seen[name] = hashlib.sha256(source.encode()).hexdigest()
        for dotted in imported:
            own = tuple(_own_modules(root, dotted))
            left += own
            if not own:
                others.add(dotted.partition(".")[0])
    packages = {name: _version(name) for name in others - sys.stdlib_module_names}
    text = json.dumps([seen, packages], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def _module(root: Path, name: str) -> tuple[str, frozenset[str]]:
    """A module's source with LF line ends, and the dotted names that it imports."""
    path = _path(root, name) or Path(sys.modules[name].__file__)
    source = path.read_text(encoding="utf-8")  # universal newlines: a checkout's CRLF is LF
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return source, frozenset(_imported(ast.parse(source), package))


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        for other in node.orelse:
            yield from _imported(other, package)
        return
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        parents = package.split(".")[: len(package.split(".")) + 1 - node.level]
        base = ".".join([*(parents if node.level else ()), *([node.module] if node.module else ())])
        yield from (f"{base}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        if named := _NAMED.match(node.value):
            yield named[0]
        elif script := _SCRIPT.fullmatch(node.value):
            yield f"{package}.{script[1]}"
    for child in ast.iter_child_nodes(node):
        yield from _imported(child, package)


def _own_modules(root: Path, dotted: str) -> Iterator[str]:
    """The modules that importing `dotted` runs: each package on the way, and the module itself."""
    parts = dotted.split(".")
    if parts[0] not in PACKAGES:
        return
    for length in range(1, len(parts) + 1):
        name = ".".join(parts[:length])
        if _path(root, name):
            yield name


def _path(root: Path, name: str) -> Path | None:
    if name.partition(".")[0] not in PACKAGES:
        return None
    place = root.joinpath(*name.split("."))
    candidates = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _version(name: str) -> str | None:
    """Version of the package that brings a module; None where it is not installed."""
    try:
        return metadata.version(_DISTRIBUTIONS.get(name, name))
    except metadata.PackageNotFoundError:
        return None
