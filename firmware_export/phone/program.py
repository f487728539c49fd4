"""A recogniser as a program for Android's shell: it answers golden vectors and times windows."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_export.aot.cores import AARCH64, HOST, X86_64
from firmware_export.firmware import RUNTIME
from firmware_export.phone.android import V7A
from firmware_export.phone.clang import find_clang, link
from firmware_export.phone.sources import PhoneSources
from kd_edge.base.errors import KdEdgeError


@dataclass(frozen=True)
class ProgramTarget:
    """What programs of one of Android's binary interfaces are made for.

    Attributes:
        core: a key of `CORES`.
        flags: that select it, in zig's words.
    """

    core: str
    flags: tuple[str, ...]


# Android's binary interfaces that a program can be made for.
PROGRAMS = {
    "arm64-v8a": ProgramTarget(AARCH64.name, ("--target=aarch64-linux-musl",)),
    "armeabi-v7a": ProgramTarget(HOST.name, ("--target=arm-linux-musleabihf", *V7A)),
    "x86_64": ProgramTarget(X86_64.name, ("--target=x86_64-linux-musl",)),
}


def build_program(sources: PhoneSources, abi: str) -> bytes:
    """A static program: `kd_phone_bench.c` says how it is called and what it writes.

    Args:
        sources: made for the core of the interface, without a front end.
        abi: a key of `PROGRAMS`.

    Raises:
        KdEdgeError KD_MISSING_TOOL: ziglang is not installed. KD_COMPILE: it refuses the sources.
    """
    clang = find_clang("ld.lld")
    if not clang.of_zig:
        raise KdEdgeError(
            "KD_MISSING_TOOL",
            f"{clang.name} has no C library for {abi}",
            hint="pip install 'kd-edge[compiler]'",
        )
    options = [*PROGRAMS[abi].flags, *program_options(sources)]
    files = program_files(sources)
    return link(clang, files, options, what=f"the program for {abi}", output="kd_phone_bench")


def program_files(sources: PhoneSources) -> dict[str, str]:
    """Every source of the program: name -> text."""
    own = RUNTIME / "phone_bench" / "kd_phone_bench.c"
    return {**sources.files, own.name: own.read_text(encoding="utf-8")}


def program_options(sources: PhoneSources) -> list[str]:
    """What any compiler of it is told, but its target."""
    return [
        *("-std=c99", "-O3", "-ffp-contract=off", "-static", "-s"),
        *(f"-D{name}={value}" for name, value in sources.defines.items()),
    ]
