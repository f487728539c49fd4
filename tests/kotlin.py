"""The Kotlin class of an Android project on this machine's Java virtual machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from phone_samples import node_package, run_in
from programs import need

_SOURCES = ("Native.kt", "Recogniser.kt")
_LIBRARY = "recogniser/src/main/jniLibs/x86_64/libkd.so"


def run_kotlin(
    files: Mapping[str, bytes], main: str, folder: Path, *arguments: str, sources=()
) -> str:
    """What a program writes that is compiled with the class; skips without npm's kotlin-compiler.

    Args:
        files: of the project, with the library for x86-64.
        main: its source. It is given libkd.so, golden.bin and the arguments, all in `folder`.
        sources: more files in `folder`, or of the project, that are compiled with it.
    """
    need("java")
    package = node_package("kotlin-compiler")
    if package is None:
        pytest.skip("kotlin-compiler is not installed: `make test` installs it where npm is")
    standard = package / "lib" / "kotlin-stdlib.jar"
    for path, content in files.items():
        (folder / Path(path).name).write_bytes(content)
    (folder / "libkd.so").write_bytes(files[_LIBRARY])
    (folder / "Main.kt").write_text(main)
    compiler = ("-cp", package / "lib" / "kotlin-compiler.jar")
    run_in(
        folder, "java", *compiler, "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-no-stdlib",
        "-cp", standard, *_SOURCES, *sources, "Main.kt", "-d", "out", "-Werror",
    )  # fmt: skip
    return run_in(
        folder, "java", "-cp", f"out:{standard}", "MainKt", "libkd.so", "golden.bin", *arguments
    )
