"""Generated C beside the TFLite Micro interpreter: the same bytes in, the same bytes out."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from emulated import board_of
from programs import need
from waiting import BOUND_S

from firmware_export.aot.compiler import Compiled, CompileSettings, compile_model
from firmware_export.aot.constants import C_TYPES
from firmware_export.boards.on_board import run_on_board
from kd_edge.base.errors import KdEdgeError
from kd_edge.runtimes.registry import open_interpreter

STRICT = (
    *("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Wshadow", "-Werror"),
    *("-Wno-unused-parameter",),
)
SANITIZED = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# Objects of unchanged kernels are built once for all tests of a run.
_CACHE = Path(tempfile.gettempdir()) / f"kd-edge-objects-{os.getuid()}"


@dataclass(frozen=True)
class Answered:
    """Inputs of some windows with the TFLite Micro interpreter's outputs, raw."""

    inputs: tuple[tuple[np.ndarray, ...], ...]
    outputs: tuple[tuple[np.ndarray, ...], ...]


def check_exact(
    models: Sequence[bytes],
    *,
    core: str = "host",
    seed: int = 0,
    n_windows: int = 8,
    settings: dict | None = None,
) -> list[Compiled]:
    """Assert that the generated C of each model answers as TFLite Micro, bit for bit."""
    assert models
    compiled = [
        compile_model(content, CompileSettings(core=core, prefix=f"m{i}", **(settings or {})))
        for i, content in enumerate(models)
    ]
    carry = bool((settings or {}).get("carry_state"))
    expected = [
        tflm_answers(content, seed=seed, n_windows=n_windows, carry_state=carry)
        for content in models
    ]
    assert all(outputs for answered in expected for outputs in answered.outputs)
    run = runner_of(core)
    for i, (answers, truth) in enumerate(zip(run(compiled, expected), expected, strict=True)):
        for window, (mine, theirs) in enumerate(zip(answers, truth.outputs, strict=True)):
            for a, b in zip(mine, theirs, strict=True):
                np.testing.assert_array_equal(a, b, err_msg=f"model {i}, window {window}")
    return compiled


def computed(contents: Sequence[bytes], *, but: str) -> list[bytes]:
    """Those that compile, at least half; others may be refused with `but` in the message alone."""
    kept = []
    for content in contents:
        try:
            compile_model(content, CompileSettings())
        except KdEdgeError as error:
            assert but in error.message  # noqa: PT017  other refusals are failures
        else:
            kept.append(content)
    assert 2 * len(kept) > len(contents)
    return kept


def tflm_answers(
    content: bytes, *, seed: int, n_windows: int, carry_state: bool = False
) -> Answered:
    """Random and extreme windows with TFLite Micro's answers, from fresh state each or in a row."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(content)
        session = open_interpreter("tflm", path)
        rng = np.random.default_rng(seed)
        windows = tuple(
            tuple(_values(spec, rng, kind) for spec in session.inputs)
            for kind in ("low", "high", "zero", *["random"] * max(n_windows - 3, 1))
        )
        return Answered(
            windows,
            tuple(session.run(list(window), keep_state=carry_state) for window in windows),
        )


def _values(spec, rng, kind: str) -> np.ndarray:
    if spec.dtype == "float32":
        return rng.normal(scale=3.0, size=spec.shape).astype(np.float32)
    low, high = _limits(spec.dtype)
    fixed = {"low": low, "high": high, "zero": spec.zero_point or 0}
    if kind in fixed:
        return np.full(spec.shape, fixed[kind], spec.dtype)
    if spec.dtype == "int32":
        # As many small values as large ones: a few bits or all of them.
        return (rng.integers(low, high, spec.shape) >> rng.integers(0, 32, spec.shape)).astype(
            "int32"
        )
    return rng.integers(low, high, spec.shape, endpoint=True).astype(spec.dtype)


def _limits(dtype: str) -> tuple[int, int]:
    return (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)


def run_on_host(
    compiled: Sequence[Compiled],
    expected: Sequence[Answered],
    flags: Sequence[str] = SANITIZED,
    *,
    compiler: str = "gcc",
    through: Sequence[str] = (),
) -> list[list[tuple[np.ndarray, ...]]]:
    """Each model's outputs for each window, from a program built with sanitizers.

    Args:
        through: the program that runs it, such as an emulator.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = build_host(compiled, folder, flags, compiler)
        counts = [str(len(answers.inputs)) for answers in expected]
        done = subprocess.run(
            [*through, program, *counts], input=sent(expected), capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return split(done.stdout, expected)


def runner_of(core: str):
    """What builds a program for a core and runs it: `run_on_host` and its like."""
    from aot_machines import MACHINES  # which builds by this module

    return run_on_host if core == "host" else MACHINES.get(core, run_on_emulator)


def sent(expected: Sequence[Answered]) -> bytes:
    """Every window of every model, as programs read them."""
    return b"".join(
        array.tobytes() for answers in expected for window in answers.inputs for array in window
    )


def split(content: bytes, expected: Sequence[Answered]):
    position, models = 0, []
    for answers in expected:
        windows = []
        for outputs in answers.outputs:
            arrays = []
            for like in outputs:
                part = content[position : position + like.nbytes]
                arrays.append(np.frombuffer(part, like.dtype).reshape(like.shape))
                position += like.nbytes
            windows.append(tuple(arrays))
        models.append(windows)
    assert position == len(content)
    return models


def build_host(
    compiled: Sequence[Compiled], folder: Path, flags: Sequence[str], compiler: str = "gcc"
) -> Path:
    """A program that reads every model's windows from standard input and writes its answers."""
    sources = {"main.c", *written(compiled, folder)}
    (folder / "main.c").write_text(_host_main(compiled), encoding="utf-8")
    kernels = {n for n in sources if n.startswith("kd_")}
    own = sources - kernels
    objects = [cached_object(folder, n, flags, compiler) for n in sorted(kernels)]
    program = folder / "program"
    build = [compiler, *STRICT, *flags, *sorted(own), *map(str, objects), "-o", program.name]
    done = subprocess.run(build, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


def written(compiled: Sequence[Compiled], folder: Path) -> list[str]:
    """Names of the models' C files, which now lie in the folder."""
    files = {name: text for one in compiled for name, text in one.files.items()}
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return sorted(name for name in files if name.endswith(".c"))


def cached_object(folder: Path, name: str, flags: Sequence[str], compiler: str) -> Path:
    """A kernel's object file, made once for all tests."""
    content = _with_headers(folder, name) + " ".join((compiler, *flags))
    cache = private_folder(_CACHE)
    target = cache / f"{name}.{hashlib.sha256(content.encode()).hexdigest()}.o"
    if not target.exists():
        made = cache / f"{target.name}.{os.getpid()}"  # another process may be making it as well
        build = [compiler, *STRICT, *flags, "-c", name, "-o", str(made)]
        done = subprocess.run(build, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        made.replace(target)
    return target


def private_folder(path: Path) -> Path:
    """The folder, made if need be: what others could put there would be linked and run.

    Raises:
        PermissionError: it is a link, another user's, or open to others.
    """
    path.mkdir(mode=0o700, exist_ok=True)
    facts = path.lstat()
    mine = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid()
    if not mine or facts.st_mode & 0o077:
        raise PermissionError(f"{path} is not a folder of this user alone: delete it")
    return path


def _with_headers(folder: Path, name: str) -> str:
    """A kernel and every header it includes, without the lines that name the model."""
    waiting, texts = [name], {}
    while waiting:
        name = waiting.pop()
        if name not in texts:
            _, texts[name] = (folder / name).read_text(encoding="utf-8").split("\n", 1)
            waiting += re.findall(r'^\s*#\s*include\s+"([^"]+)"', texts[name], re.MULTILINE)
    return "".join(texts[name] for name in sorted(texts))


def _host_main(compiled: Sequence[Compiled]) -> str:
    lines = ["#include <stdio.h>", "#include <stdlib.h>", "#include <string.h>"]
    lines += [f'#include "{one.settings.prefix}.h"' for one in compiled]
    lines += ["int main(int argc, char **argv)", "{", "    (void)argc;"]
    for i, one in enumerate(compiled):
        if one.settings.carry_state:
            lines.append(f"    {one.settings.prefix}_reset();")
        lines.append(f"    for (int n = atoi(argv[{i + 1}]); n > 0; n--) {{")
        lines += _host_window(one)
        lines.append("    }")
    return "\n".join([*lines, "    return 0;", "}", ""])


def _host_window(one: Compiled) -> list[str]:
    """C that reads one window, runs it and writes the outputs."""
    prefix, upper = one.settings.prefix, one.settings.prefix.upper()
    steps = f"{upper}_STEPS" if one.settings.stream else "1"
    lines = []
    for p, tensor in enumerate(one.graph.inputs):
        size = f"{steps} * {upper}_INPUT_{p}_SIZE"
        lines.append(f"        static {C_TYPES[tensor.dtype]} window_{p}[{size}];")
        lines.append(
            f"        if (fread(window_{p}, sizeof *window_{p}, {size}, stdin) != {size}) return 1;"
        )
    lines.append(f"        for (int step = 0; step < {steps}; step++) {{")
    for p in range(len(one.graph.inputs)):
        size = f"{upper}_INPUT_{p}_SIZE"
        lines.append(
            f"            memcpy({prefix}_input_{p}(), window_{p} + step * {size}, "
            f"{size} * sizeof *window_{p});"
        )
    run = f"(void){prefix}_step()" if one.settings.by_steps else f"{prefix}_invoke()"
    lines.append(f"            {run};\n        }}")
    for p in range(len(one.graph.outputs)):
        place, size = f"{prefix}_output_{p}()", f"{upper}_OUTPUT_{p}_SIZE"
        lines.append(
            f"        if (fwrite({place}, sizeof *{place}, {size}, stdout) != {size}) return 1;"
        )
    return lines


def run_on_emulator(compiled: Sequence[Compiled], expected: Sequence[Answered]):
    """The same on the emulated board with that core; skips where QEMU or the compiler is absent."""
    board = board_of(compiled[0].core.name)
    need(*board.kind.tools(board))
    models = [(c, answers.inputs) for c, answers in zip(compiled, expected, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        runs, _ = run_on_board(board, models, Path(folder), timeout_s=BOUND_S)
    return [list(run.outputs) for run in runs]
