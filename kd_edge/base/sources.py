"""What code a result rests on: a digest of a module's source and of everything that it imports.

A result that is kept under such a digest is made again once any line behind it has changed, or any
package that it imports. Paths, file times and the machine are no part of the digest.

A record that a user adds to a table of kd-edge counts like a module that the table imports: see
`note_added`.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import hashlib
import importlib.util
import json
import re
import secrets
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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

# Home of a table -> name in it -> gives the digest of a record that was added, and of its source.
_ADDED: dict[str, dict[str, Callable[[], str]]] = {}
# What was typed into a console has no source: it is something else in each process.
_NO_SOURCE = secrets.token_hex(16)


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
        seen, digest = _digest(root or ROOT, modules)
        added = {
            home: {name: digest_of() for name, digest_of in _ADDED[home].items()}
            for home in _ADDED.keys() & seen
        }
    return _sha256([digest, added]) if added else digest


@functools.cache
def _digest(root: Path, modules: tuple[str, ...]) -> tuple[frozenset[str], str]:
    """The modules of `PACKAGES` behind these, and the digest of all that is behind them."""
    others: set[str] = set()

    def follow(dotted: str) -> Iterable[str]:
        own = _own_modules(root, dotted)
        if not own:
            others.add(dotted.partition(".")[0])
        return own

    seen = _walk(modules, lambda name: _module(root, name), follow)
    return frozenset(seen), _sha256([seen, _versions(others)])


def _walk(
    modules: Iterable[str],
    read: Callable[[str], tuple[str, frozenset[str]] | None],
    follow: Callable[[str], Iterable[str]],
) -> dict[str, str]:
    """Digests of the sources of modules and of all that they import, each once.

    Args:
        read: a module's source, and the dotted names that it imports; None where it has none.
        follow: the modules among those that are to be walked for a dotted name.
    """
    seen: dict[str, str] = {}
    left = list(modules)
    while left:
        name = left.pop()
        if name in seen:
            continue
        found = read(name)
        if found is None:
            seen[name] = _NO_SOURCE
            continue
        source, imported = found
        seen[name] = hashlib.sha256(source.encode()).hexdigest()
        for dotted in imported:
            left += follow(dotted)
    return seen


def _versions(packages: set[str]) -> dict[str, str | None]:
    """Of the packages that are not Python's own."""
    return {name: _version(name) for name in packages - sys.stdlib_module_names}


def _sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


@functools.cache
def _module(root: Path, name: str) -> tuple[str, frozenset[str]]:
    """A module's source with LF line ends, and the dotted names that it imports."""
    return _read(_path(root, name) or Path(sys.modules[name].__file__), name)


def _read(path: Path, name: str) -> tuple[str, frozenset[str]]:
    source = path.read_text(encoding="utf-8")  # universal newlines: a checkout's CRLF is LF
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return source, frozenset(_imported(ast.parse(source), package))


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.If) and _is_for_type_checkers(node.test):
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
        elif package and (script := _SCRIPT.fullmatch(node.value)):
            yield f"{package}.{script[1]}"
    for child in ast.iter_child_nodes(node):
        yield from _imported(child, package)


def _is_for_type_checkers(test: ast.expr) -> bool:
    named = {getattr(node, key, None) for node in ast.walk(test) for key in ("id", "attr")}
    return "TYPE_CHECKING" in named


@functools.cache
def _own_modules(root: Path, dotted: str) -> tuple[str, ...]:
    """The modules that importing `dotted` runs: each package on the way, and the module itself."""
    parts = dotted.split(".")
    if parts[0] not in PACKAGES:
        return ()
    names = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
    return tuple(name for name in names if _path(root, name))


def _path(root: Path, name: str) -> Path | None:
    return _file(root, name) if name.partition(".")[0] in PACKAGES else None


def _file(root: Path, name: str) -> Path | None:
    """The source of a module below the folder that its topmost package is imported from."""
    place = root.joinpath(*name.split("."))
    candidates = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _version(name: str) -> str | None:
    """Version of the package that brings a module; None where it is not installed."""
    try:
        return metadata.version(_DISTRIBUTIONS.get(name, name))
    except metadata.PackageNotFoundError:
        return None


# --- records from outside ---


def note_added(home: str, name: str, record: object) -> None:
    """Let each digest over `home` depend on a record that was added to its table, and its source.

    The source is that of the modules that the record's class, its functions and its field `module`
    come from, and of all that they import and that is no installed package; of those the version
    counts. Of a path every file counts.

    Args:
        home: the module that the table stands in. name: in the table.
        record: a class, a function, a dataclass, a path, or the text 'module:function'.
    """
    # When a digest asks for it: to add a record takes no time.
    _ADDED.setdefault(home, {})[name] = functools.cache(lambda: _record_digest(record))


def _record_digest(record: object) -> str:
    behind = {m for m in _modules_behind(record) if m.partition(".")[0] not in PACKAGES}
    outside = sorted(m for m in behind if m.partition(".")[0] not in sys.stdlib_module_names)
    return _sha256([_content(record), _outside_digest(outside) if outside else None])


def forget_added(home: str, name: str) -> None:
    """Undo `note_added`; nothing happens where the record stood in the table from the start."""
    names = _ADDED.get(home, {})
    names.pop(name, None)
    if not names:
        _ADDED.pop(home, None)


def _content(value: object) -> object:
    """A record's own values, as JSON can hold them; of code its name."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Path):
        files = [value] if value.is_file() else sorted(p for p in value.rglob("*") if p.is_file())
        return [[f.name, hashlib.sha256(f.read_bytes()).hexdigest()] for f in files]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _content(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return [type(value).__qualname__, fields]
    if isinstance(value, Mapping):
        return [[_content(key), _content(each)] for key, each in value.items()]
    if isinstance(value, tuple | list):
        return [_content(each) for each in value]
    return getattr(value, "__qualname__", type(value).__qualname__)


def _modules_behind(record: object) -> Iterator[str]:
    if isinstance(record, str):
        yield record.partition(":")[0]
    elif isinstance(record, functools.partial):
        yield from _modules_behind(record.func)
    elif dataclasses.is_dataclass(record) and not isinstance(record, type):
        yield type(record).__module__
        for field in dataclasses.fields(record):
            value = getattr(record, field.name)
            if field.name == "module" or not isinstance(value, str):
                yield from _modules_behind(value)
    else:
        # Of a class, a function or a method it is where it was written.
        yield getattr(record, "__module__", None) or type(record).__module__


def _outside_digest(modules: Sequence[str]) -> str:
    tops = {name.partition(".")[0] for name in modules}
    ours: set[str] = set()
    others: set[str] = set()

    def read(name: str) -> tuple[str, frozenset[str]] | None:
        path = _outside_file(name)
        return path and _read(path, name)

    def follow(dotted: str) -> Iterable[str]:
        top = dotted.partition(".")[0]
        if top in PACKAGES:
            ours.update(_own_modules(ROOT, dotted))
        elif top in tops or not _is_installed(top):
            return _modules_on_the_way(dotted)
        else:
            others.add(top)
        return ()

    seen = _walk(modules, read, follow)
    return _sha256([seen, _versions(others), _digest(ROOT, tuple(sorted(ours)))[1]])


def _outside_file(name: str) -> Path | None:
    """A module's source; None where it has none, as what stands in a console."""
    if name == "__main__":
        place = getattr(sys.modules[name], "__file__", None)
        return Path(place) if place and Path(place).is_file() else None
    root = import_folder(name.partition(".")[0])
    return root and _file(root, name)


def _modules_on_the_way(dotted: str) -> list[str]:
    """The modules that importing a dotted name runs, as far as they have a source."""
    parts = dotted.split(".")
    names = (".".join(parts[:n]) for n in range(1, len(parts) + 1))
    return [name for name in names if _outside_file(name)]


def import_folder(top: str) -> Path | None:
    """The folder that a topmost package or module is imported from; importing nothing."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).parent
    return Path(spec.origin).parent if spec.has_location else None


def _is_installed(top: str) -> bool:
    """Whether it is one of Python's own or came as a package, and so has a version."""
    if top in sys.stdlib_module_names or (root := import_folder(top)) is None:
        return True
    places = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return any(root.is_relative_to(place) for place in places)
