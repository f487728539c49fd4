"""A recogniser as a WebAssembly module: freestanding, no imports, its sections measured."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_export.aot.cores import find_core
from firmware_export.phone.clang import find_clang, link
from firmware_export.phone.sources import PhoneSources
from kd_edge.base.errors import KdEdgeError

STACK_BYTES = 16 * 1024
_MAGIC = b"\0asm\1\0\0\0"
_NAMES = {
    0: "names",
    1: "types",
    2: "imports",
    3: "functions",
    4: "tables",
    5: "memory",
    6: "globals",
    7: "exports",
    9: "elements",
    10: "code",
    11: "constants",
    12: "data count",
}


@dataclass(frozen=True)
class WasmModule:
    """A module.

    Attributes:
        core: that its kernels are for.
        content: the bytes of the `.wasm` file.
        sections: name -> bytes, in the file's order; 'code' is instructions, 'constants' weights
            and tables. Their headers, 1 to 6 bytes each, are counted with them.
    """

    core: str
    content: bytes
    sections: dict[str, int]


def build_wasm(sources: PhoneSources, core: str) -> WasmModule:
    """Compile and link a recogniser.

    Args:
        core: that the sources were made for.

    Raises:
        KdEdgeError KD_MISSING_TOOL: no compiler. KD_COMPILE: it refuses the sources, or the module
            needs something of its host.
    """
    clang = find_clang("wasm-ld")
    options = [
        *clang.flags(find_core(core).flags),
        *("-std=c99", "-O3", "-ffp-contract=off", "-fvisibility=hidden"),
        *("-nostdlib", "-ffreestanding", "-fno-builtin", "-ffunction-sections", "-fdata-sections"),
        *("-Wl,--no-entry", "-Wl,--export-dynamic", "-Wl,--gc-sections", "-Wl,--strip-all"),
        f"-Wl,-z,stack-size={STACK_BYTES}",
        *(f"-D{name}={value}" for name, value in sources.defines.items()),
    ]
    what = "the WebAssembly module"
    content = link(clang, sources.files, options, what=what, output="kd.wasm")
    sections = wasm_sections(content)
    if "imports" in sections:
        raise KdEdgeError(
            "KD_COMPILE",
            "the WebAssembly module needs functions of its host",
            hint="this is a defect of the sources; report it with the model's operators",
        )
    return WasmModule(core, content, sections)


def wasm_sections(content: bytes) -> dict[str, int]:
    """Bytes of each section of a module, in order.

    Raises:
        ValueError: it is no WebAssembly module, or is cut short.
    """
    if content[: len(_MAGIC)] != _MAGIC:
        raise ValueError("no WebAssembly module")
    sections: dict[str, int] = {}
    at = len(_MAGIC)
    while at < len(content):
        kind = content[at]
        size, begin = _leb128(content, at + 1)
        end = begin + size
        if end > len(content):
            raise ValueError(f"section {kind} ends behind the module")
        name = _NAMES.get(kind, f"section {kind}")
        sections[name] = sections.get(name, 0) + end - at
        at = end
    return sections


def _leb128(content: bytes, at: int) -> tuple[int, int]:
    """An unsigned number, and the place behind it."""
    value = 0
    for i in range(5):
        if at + i >= len(content):
            raise ValueError("the module ends in a number")
        byte = content[at + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value, at + i + 1
    raise ValueError("a number of more than five bytes")
