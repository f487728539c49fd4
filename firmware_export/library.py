"""Generated C as a shared library of this machine, built once and kept."""

from __future__ import annotations

import importlib.util
import json
import platform
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from firmware_export.boards.compiling import run_compiler
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import atomic_path, sha256_text
from kd_edge.base.processes import run_program

HOST_COMPILERS = ("gcc", "cc", "clang")
# A C compiler from the package index, for machines without one.
_ZIG = "ziglang"
_OPTIONS = ("-std=c99", "-O3", "-shared", "-I.")
_ENDINGS = {"win32": ".dll", "darwin": ".dylib"}
_DEFECT = "this is a defect of the sources; report it with the model's operators"

EXPORT = """
#if defined(_WIN32)
#define KD_EXPORT __declspec(dllexport)
#else
#define KD_EXPORT __attribute__((visibility("default")))
#endif
"""


def host_compiler() -> tuple[str, ...] | None:
    """The command of this machine's C compiler, else that of the package `ziglang`; or None."""
    for name in HOST_COMPILERS:
        if path := shutil.which(name):
            return (path,)
    program = zig_program()
    # For any processor of its kind, as other compilers do unless they are told.
    return (program, "cc", "-mcpu=baseline") if program else None


def zig_program() -> str | None:
    """Path of the package ziglang's compiler; None without it."""
    spec = importlib.util.find_spec(_ZIG)
    if spec is None or spec.origin is None:
        return None
    return shutil.which("zig", path=str(Path(spec.origin).parent))


def need_compiler() -> tuple[str, ...]:
    """`host_compiler`.

    Raises:
        KdEdgeError KD_MISSING_TOOL: there is none.
    """
    command = host_compiler()
    if command is None:
        raise KdEdgeError(
            "KD_MISSING_TOOL",
            f"no C compiler is installed: none of {', '.join(HOST_COMPILERS)}, nor {_ZIG}",
            hint="install your system's compiler, or one from the package index: "
            "pip install 'kd-edge[compiler]'",
        )
    return command


def compiler_version() -> str | None:
    """What the compiler says of itself, such as 'gcc 12.2.0'; None without one."""
    command = host_compiler()
    if command is None:
        return None
    said = run_program([*command, "--version"]).stdout.splitlines()
    return said[0].strip() if said else Path(command[0]).name


def build_library(files: Mapping[str, str]) -> Path:
    """The shared library of some sources; built where the user's cache has none of the same.

    Args:
        files: name -> text of C sources and headers. What is to be called has `KD_EXPORT` before
            it, which `EXPORT` defines.

    Raises:
        KdEdgeError KD_MISSING_TOOL: no compiler. KD_COMPILE: it refuses the sources.
    """
    command = [*need_compiler(), *_OPTIONS]
    if sys.platform != "win32":
        command += ["-fPIC", "-fvisibility=hidden"]
    key = [command, compiler_version(), platform.machine(), sys.platform, sorted(files.items())]
    name = sha256_text(json.dumps(key)) + _ENDINGS.get(sys.platform, ".so")
    target = Path(platformdirs.user_cache_dir("kd-edge")) / "libraries" / name
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        sources = sorted(file for file in files if file.endswith(".c"))
        run_compiler(
            [*command, *sources, "-o", name], folder, what="the plain-C sources", hint=_DEFECT
        )
        with atomic_path(target) as made:
            shutil.copyfile(folder / name, made)
    return target
