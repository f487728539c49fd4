"""Bytes of bundles' WebAssembly modules, and the time of a window in Node: a table of all of them.

    python benchmarks/bench_wasm.py build/demo build/isl

Each module is the page's own. Times are the least of several medians over the golden windows, of
the model alone and with the front end from raw windows. They are this machine's, and say nothing of
a phone.
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
from pathlib import Path

from firmware_export.phone.sources import phone_sources
from firmware_export.phone.wasm import WasmModule, build_wasm
from kd_edge.base.raw_window import pack_raw
from kd_edge.pipeline.boards.bundle_image import BoardBundle, load_board_bundle
from kd_edge.pipeline.boards.phone import WASM_CORES, phone_front_end, phone_hop_s, phone_settings

ROUNDS = 8
_ENGINE = Path(__file__).parents[1] / "kd_edge" / "phone" / "templates" / "engine.js.j2"
_TIMED = """
const least = (windows, run) => {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const times = windows.flatMap((bytes) => Array.from({ length: 20 }, () => {
      const start = process.hrtime.bigint();
      run(bytes);
      return Number(process.hrtime.bigint() - start) / 1000;
    })).sort((a, b) => a - b);
    best = Math.min(best, times[times.length >> 1]);
  }
  return best;
};
(async () => {
  const engine = await kdEngine.open({ modules: [{ core: values.core, code: values.code }] });
  const int8 = values.int8.map(kdEngine.bytesOf), raw = values.raw.map(kdEngine.bytesOf);
  const model = least(int8, (bytes) => engine.runInt8(bytes));
  const whole = raw.length ? least(raw, (bytes) => engine.runRaw(bytes)) : null;
  console.log(JSON.stringify([model, whole]));
})();
"""


def modules_of(bundle: BoardBundle) -> list[WasmModule]:
    """The page's, the fastest first."""
    front_end = phone_front_end(bundle)
    hop_s = phone_hop_s(front_end, None) if front_end else None
    settings = phone_settings(bundle, front_end)
    return [
        build_wasm(phone_sources(bundle.product, core, settings, hop_s=hop_s), core)
        for core in WASM_CORES
    ]


def times_us(module: WasmModule, bundle: BoardBundle) -> tuple[float, float | None]:
    """A window of the model alone, and with its front end where the bundle has raw windows."""
    front_end = phone_front_end(bundle)
    raw = [pack_raw(counts, front_end) for counts in bundle.raw] if front_end else []
    int8 = [
        b"".join(array[i].tobytes() for array in bundle.golden.inputs)
        for i in range(len(bundle.golden.inputs[0]))
    ]
    values = {
        "core": module.core,
        "code": base64.b64encode(module.content).decode(),
        "int8": [base64.b64encode(window).decode() for window in int8],
        "raw": [base64.b64encode(window).decode() for window in raw],
    }
    program = (
        f"{_ENGINE.read_text('utf-8')}\nconst ROUNDS = {ROUNDS};\n"
        f"const values = {json.dumps(values)};\n{_TIMED}"
    )
    done = subprocess.run(["node", "-"], input=program, capture_output=True, text=True, check=True)
    model, with_front_end = json.loads(done.stdout)
    return model, with_front_end


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", type=Path, nargs="+")
    print(
        "| model | module | bytes | code | constants | model in Node, µs a window "
        "| with front end, µs a window |"
    )
    print("|---|---|---|---|---|---|---|")
    for folder in parser.parse_args().bundles:
        bundle = load_board_bundle(folder)
        for module in modules_of(bundle):
            model, whole = times_us(module, bundle)
            behind = "" if whole is None else f"{whole:,.0f}"
            print(
                f"| `{bundle.manifest.title}` | `{module.core}` | {len(module.content):,} "
                f"| {module.sections['code']:,} | {module.sections['constants']:,} "
                f"| {model:,.0f} | {behind} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
