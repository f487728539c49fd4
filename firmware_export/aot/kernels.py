"""Which source files of `runtime/kernels` a kernel needs on a core."""

from __future__ import annotations

import re
from pathlib import Path

from firmware_export.aot.cores import Core

KERNELS = Path(__file__).resolve().parents[1] / "runtime" / "kernels"
_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def kernel_variant(kernel: str, core: Core) -> str:
    """'_mve', '_dsp' or '' (portable): the fastest form of the kernel that runs on the core."""
    for variant in core.variants:
        if (KERNELS / f"{kernel}{variant}.c").is_file():
            return variant
    raise FileNotFoundError(KERNELS / f"{kernel}.c")


def kernel_files(kernels: set[str], core: Core) -> dict[str, str]:
    """Name -> text of every source and header that these kernels need on the core, sorted by name.

    A header that has a `.c` of its own beside it (a shared routine) brings that along.
    """
    files: dict[str, str] = {}
    waiting = [f"{kernel}{kernel_variant(kernel, core)}.c" for kernel in sorted(kernels)]
    while waiting:
        name = waiting.pop()
        if name in files:
            continue
        files[name] = (KERNELS / name).read_text(encoding="utf-8")
        headers = _INCLUDE.findall(files[name])
        waiting += headers
        for header in headers:
            stem = header.removesuffix(".h")
            if any((KERNELS / f"{stem}{variant}.c").is_file() for variant in core.variants):
                waiting.append(f"{stem}{kernel_variant(stem, core)}.c")
    return dict(sorted(files.items()))
