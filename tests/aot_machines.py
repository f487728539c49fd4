"""Generated C for phones, computers and browsers: on this machine, in QEMU's user mode, in Node."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import aot_harness
from programs import need

from firmware_export.aot.compiler import Compiled

_RUN_IN_NODE = """
const fs = require("fs");
const models = JSON.parse(process.argv[2]);
const module = new WebAssembly.Module(fs.readFileSync(process.argv[1]));
if (WebAssembly.Module.imports(module).length) throw new Error("it imports something");
const c = new WebAssembly.Instance(module).exports;
const sent = fs.readFileSync(0), answers = [];
let at = 0;
for (const { prefix, windows, inputs, outputs, carries } of models) {
  if (carries) c[prefix + "_reset"]();
  for (let w = 0; w < windows; w++) {
    inputs.forEach((n, i) => {
      const place = c[prefix + "_input_" + i]();
      new Uint8Array(c.memory.buffer, place, n).set(sent.subarray(at, at + n));
      at += n;
    });
    c[prefix + "_invoke"]();
    outputs.forEach((n, i) => {
      const place = c[prefix + "_output_" + i]();
      answers.push(Buffer.from(new Uint8Array(c.memory.buffer, place, n)));
    });
  }
}
fs.writeSync(1, Buffer.concat(answers));
"""
# gcc and qemu-user of 64-bit Arm; static, so that no library of it is needed at run time.
_ARM = ("aarch64-linux-gnu-gcc", "qemu-aarch64")


def run_on_x86_64(compiled: Sequence[Compiled], expected, *flags: str):
    """With sanitizers on this machine; skips on another."""
    need("x86_64-linux-gnu-gcc")
    return aot_harness.run_on_host(compiled, expected, (*aot_harness.SANITIZED, *flags))


def run_on_aarch64(compiled: Sequence[Compiled], expected, *flags: str):
    """Emulated, instruction by instruction; skips without compiler or emulator."""
    need(*_ARM)
    compiler, emulator = _ARM
    return aot_harness.run_on_host(
        compiled, expected, ("-O2", "-static", *flags), compiler=compiler, through=(emulator,)
    )


def run_in_node(compiled: Sequence[Compiled], expected):
    """A WebAssembly module without imports; skips without clang, lld or Node."""
    need("clang", "wasm-ld", "node")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        module = _build_module(compiled, folder)
        models = [
            {
                "prefix": one.settings.prefix,
                "windows": len(answers.inputs),
                "inputs": [array.nbytes for array in answers.inputs[0]],
                "outputs": [array.nbytes for array in answers.outputs[0]],
                "carries": one.settings.carry_state,
            }
            for one, answers in zip(compiled, expected, strict=True)
        ]
        done = subprocess.run(
            ["node", "-e", _RUN_IN_NODE, str(module), json.dumps(models)],
            input=aot_harness.sent(expected), capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        return aot_harness.split(done.stdout, expected)


def _build_module(compiled: Sequence[Compiled], folder: Path) -> Path:
    core = compiled[0].core
    sources = aot_harness.written(compiled, folder)
    flags = ("-O2", *core.flags, "-I.")
    objects = [
        aot_harness.cached_object(folder, name, flags, core.compiler)
        if name.startswith("kd_")
        else name
        for name in sources
    ]
    exports = [f"-Wl,--export={name}" for one in compiled for name in _functions(one)]
    module = folder / "module.wasm"
    build = [core.compiler, *aot_harness.STRICT, *flags, "-nostdlib", "-Wl,--no-entry", *exports]
    done = subprocess.run(
        [*build, *map(str, objects), "-o", module.name],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return module


def _functions(one: Compiled) -> list[str]:
    """What Node calls, and so the linker must keep."""
    prefix = one.settings.prefix
    names = [f"input_{i}" for i in range(len(one.graph.inputs))]
    names += [f"output_{i}" for i in range(len(one.graph.outputs))]
    names += ["invoke", *(["reset"] if one.settings.carry_state else [])]
    return [f"{prefix}_{name}" for name in names]


# Core -> what runs a program for it; every other core has an emulated board.
MACHINES = {
    "x86-64": run_on_x86_64,
    "aarch64": run_on_aarch64,
    "wasm": run_in_node,
    "wasm-simd128": run_in_node,
}
