"""A recogniser for phones as a program: on this machine, in QEMU's user mode, in Node."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from phone_samples import need_clang
from programs import need
from waiting import BOUND_S

from firmware_export.aot.cores import WASM
from firmware_export.phone.clang import Clang, find_clang, link
from firmware_export.phone.program import PROGRAMS, program_options
from firmware_export.phone.sources import PhoneSources
from firmware_export.phone.wasm import build_wasm
from firmware_export.settings import Golden
from kd_edge.base.front_end import Counts, FrontEndConstants
from kd_edge.base.raw_window import pack_raw

# What the front end makes of the raw window that stands in kd_phone_window().
_INPUTS = """
#include "kd_front_end_run.h"
#include "kd_phone.h"
#include "kd_window.h"
KD_PHONE_API const int8_t *kd_test_inputs(void);
const int8_t *kd_test_inputs(void)
{
    static int8_t values[KD_INT8_BYTES];
    int8_t *inputs[KD_INPUT_COUNT], *at = values;
    for (size_t i = 0; i < KD_INPUT_COUNT; i++) {
        inputs[i] = at;
        at += kd_inputs[i].size;
    }
#if KD_WEARER_STATES > 0
    kd_front_end_reset();
#endif
    kd_front_end_run(kd_window.counts, inputs);
    return values;
}
"""
# int8 windows -> scores; then raw windows -> int8 windows and scores.
_PROGRAM = """
#include <stdio.h>
#include "kd_phone.h"
const int8_t *kd_test_inputs(void);
static int answer(int32_t kind)
{
    const size_t n = (size_t)kd_phone_score_bytes();
    return kd_phone_run(kind, 0) == 0 && fwrite(kd_phone_scores(), 1, n, stdout) == n;
}
int main(int count, char **arguments)
{
    const size_t int8 = (size_t)kd_phone_int8_bytes(), raw = (size_t)kd_phone_raw_bytes();
    unsigned golden = 0;
    if (count != 2 || sscanf(arguments[1], "%u", &golden) != 1) return 2;
    while (golden-- > 0) {
        if (fread(kd_phone_window(), 1, int8, stdin) != int8 || !answer(0)) return 1;
    }
    while (fread(kd_phone_window(), 1, raw, stdin) == raw) {
        if (fwrite(kd_test_inputs(), 1, int8, stdout) != int8 || !answer(1)) return 1;
    }
    return 0;
}
"""
_IN_NODE = """
const fs = require("fs");
const module = new WebAssembly.Module(fs.readFileSync(process.argv[1]));
const c = new WebAssembly.Instance(module).exports, sent = fs.readFileSync(0), said = [];
let at = 0;
const read = (n) => {
  new Uint8Array(c.memory.buffer, c.kd_phone_window(), n).set(sent.subarray(at, at + n));
  at += n;
};
const say = (place, n) => said.push(Buffer.from(new Uint8Array(c.memory.buffer, place, n)));
const answer = (kind) => {
  if (c.kd_phone_run(kind, 0) !== 0) throw new Error("the model failed");
  say(c.kd_phone_scores(), c.kd_phone_score_bytes());
};
for (let i = 0; i < process.argv[2]; i++) { read(c.kd_phone_int8_bytes()); answer(0); }
while (at < sent.length) {
  read(c.kd_phone_raw_bytes());
  say(c.kd_test_inputs(), c.kd_phone_int8_bytes());
  answer(1);
}
fs.writeSync(1, Buffer.concat(said));
"""


@dataclass(frozen=True, eq=False)
class Answers:
    """Attributes:
    golden: (vectors, scores) int8.
    inputs: (windows, values) int8, what the front end makes of raw windows.
    scores: (windows, scores) int8, of raw windows.
    """

    golden: np.ndarray
    inputs: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class Machine:
    """Attributes:
    core: that the sources are for.
    build: (sources with a main, file to write) -> nothing; skips without its compiler.
    through: the program that runs what was built.
    """

    core: str
    build: Callable[[PhoneSources, Path], None]
    through: tuple[str, ...] = ()

    @property
    def native(self) -> bool:
        """Programs for it have a main of C."""
        return not self.core.startswith("wasm")

    def run(self, sources: PhoneSources, sent: bytes, folder: Path, *arguments: str) -> bytes:
        """What a program of these sources writes when it is sent something."""
        if self.through:
            need(self.through[0])
        program = folder / "program"
        self.build(sources, program)
        program.chmod(0o755)
        done = subprocess.run(
            [*self.through, str(program), *arguments],
            input=sent, capture_output=True, timeout=BOUND_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout


def answers_of(
    machine: Machine,
    sources: PhoneSources,
    golden: Golden,
    raw: Sequence[Counts],
    front_end: FrontEndConstants,
    folder: Path,
) -> Answers:
    """What a recogniser answers there."""
    n = len(golden.labels)
    windows = np.concatenate([values.reshape(n, -1) for values in golden.inputs], axis=1)
    sent = windows.tobytes() + b"".join(pack_raw(counts, front_end) for counts in raw)
    own = {**sources.files, "kd_test_inputs.c": _INPUTS}
    if machine.native:
        own["main.c"] = _PROGRAM
    said = np.frombuffer(machine.run(replace(sources, files=own), sent, folder, str(n)), np.int8)
    size, n_scores = windows.shape[1], golden.outputs.size // n
    rest = said[n * n_scores :].reshape(len(raw), size + n_scores)
    return Answers(said[: n * n_scores].reshape(n, n_scores), rest[:, :size], rest[:, size:])


def with_gcc(compiler: str, *flags: str) -> Callable[[PhoneSources, Path], None]:
    """Built by a gcc that brings its C library."""

    def build(sources: PhoneSources, to: Path) -> None:
        need(compiler)
        gcc = Clang(compiler, (compiler,), of_zig=False)
        options = [*flags, *program_options(sources)]
        to.write_bytes(link(gcc, sources.files, options, what="it", output="program"))

    return build


def with_zig(abi: str, linker: str) -> Callable[[PhoneSources, Path], None]:
    """Compiled as what is made for phones of an ABI, and linked by a gcc that brings a C library.

    Zig's own is compiled when it is first linked, which takes minutes.
    """

    def build(sources: PhoneSources, to: Path) -> None:
        pytest.importorskip("ziglang", reason="a system's clang may lack that processor")
        need(linker)
        headers = {n: text for n, text in sources.files.items() if n.endswith(".h")}
        own = {n: text for n, text in sources.files.items() if n != "main.c"}
        options = [o for o in program_options(sources) if o not in ("-static", "-s")]
        freestanding = ["-ffreestanding", "-fno-builtin", f"-I{WASM.libc}", "-nostdlib", "-r"]
        part = to.with_suffix(".o")
        flags = [*PROGRAMS[abi].flags, *options, *freestanding]
        part.write_bytes(link(find_clang("ld.lld"), own, flags, what="it", output="it.o"))
        gcc = Clang(linker, (linker,), of_zig=False)
        main = {**headers, "main.c": sources.files["main.c"]}
        flags = [*program_options(sources), str(part)]
        to.write_bytes(link(gcc, main, flags, what="it", output="it"))

    return build


def _for_node(sources: PhoneSources, to: Path, core: str) -> None:
    need_clang()
    to.write_bytes(build_wasm(sources, core).content)


def _in_node(core: str) -> Machine:
    return Machine(core, lambda sources, to: _for_node(sources, to, core), ("node", "-e", _IN_NODE))


MACHINES = {
    "x86-64": Machine("x86-64", with_gcc("x86_64-linux-gnu-gcc")),
    "aarch64": Machine("aarch64", with_gcc("aarch64-linux-gnu-gcc"), ("qemu-aarch64",)),
    # With NEON allowed: its floats know no denormals, and a compiler must leave them alone.
    "armv7": Machine("host", with_gcc("arm-linux-gnueabihf-gcc", "-mfpu=neon"), ("qemu-arm",)),
    "armv7 by zig": Machine(
        "host", with_zig("armeabi-v7a", "arm-linux-gnueabihf-gcc"), ("qemu-arm",)
    ),
    "wasm": _in_node("wasm"),
    "wasm-simd128": _in_node("wasm-simd128"),
}
