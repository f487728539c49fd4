"""Which source files of `runtime/kernels` a kernel needs on a core."""

from __future__ import annotations

import re
from pathlib import Path

from firmware_export.aot.cores import Core
from kd_edge.base.registry import Registry

KERNELS = Path(__file__).resolve().parents[1] / "runtime" / "kernels"
# Folders that kernels lie in, with their headers; the first that has a file gives it.
KERNEL_FOLDERS: Registry[Path] = Registry(
    "folder of kernels", {"kd-edge": KERNELS}, home=__name__, plural="folders"
)
_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def kernel_variant(kernel: str, core: Core) -> str:
    """'_mve', '_dsp' or '' (portable): the fastest form of the kernel that runs on the core."""
    for variant in core.variants:
        if _find(f"{kernel}{variant}.c"):
            return variant
    raise FileNotFoundError(KERNELS / f"{kernel}.c")


def kernel_files(kernels: set[str], core: Core) -> dict[str, str]:
    """Name -> text of every source and header that these kernels need on the core, sorted by name.

    A header that has a `.c` of its own beside it (a shared routine) brings that along. For a
    compiler without a C library, what sources need of one is among them.
    """
    files: dict[str, str] = {}
    waiting = [f"{kernel}{kernel_variant(kernel, core)}.c" for kernel in sorted(kernels)]
    if core.libc:
        for path in core.libc.iterdir():
            files[path.name] = path.read_text(encoding="utf-8")
    while waiting:
        name = waiting.pop()
        if name in files:
            continue
        files[name] = _text(name)
        headers = _INCLUDE.findall(files[name])
        waiting += headers
        for header in headers:
            stem = header.removesuffix(".h")
            if any(_find(f"{stem}{variant}.c") for variant in core.variants):
                waiting.append(f"{stem}{kernel_variant(stem, core)}.c")
    return dict(sorted(files.items()))


def kernel_names() -> set[str]:
    """Names of all kernels' files, without their endings."""
    return {path.stem for folder in KERNEL_FOLDERS.values() for path in folder.iterdir()}


def _find(name: str) -> Path | None:
    places = (folder / name for folder in KERNEL_FOLDERS.values())
    return next((place for place in places if place.is_file()), None)


def _text(name: str) -> str:
    place = _find(name)
    if place is None:
        raise FileNotFoundError(KERNELS / name)
    return place.read_text(encoding="utf-8")
