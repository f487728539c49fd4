"""The C sources compile everywhere without a warning, and hold what Python gave."""

from __future__ import annotations

import re
import struct
import subprocess

import numpy as np
import pytest
from firmware_samples import LABELS, STRICT, lstm_model, run, settings_for, two_input_model
from programs import need

from firmware_export.aot.cores import CORES
from firmware_export.tflm import export_tflm
from kd_edge.base.flatbuffer import read_tflite

MODELS = {"two-input": two_input_model, "lstm": lstm_model}
HOST = [
    ("gcc", "c", "c99"),
    ("gcc", "c", "c11"),
    ("g++", "c++", "c++17"),
    ("clang", "c", "c99"),
    ("clang", "c", "c11"),
    ("clang++", "c++", "c++17"),
]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Model kind -> (path of the model, folder of its sources)."""
    folder = tmp_path_factory.mktemp("firmware")
    models = {kind: make(folder) for kind, make in MODELS.items()}
    for kind, path in models.items():
        export_tflm(path, folder / kind, settings_for(path))
    return {kind: (path, folder / kind) for kind, path in models.items()}


def compile_all(compiler, language, standard, folder, out, *flags):
    """One object a C source, in either language; the headers that need no TFLite Micro as well."""
    for source in sorted(folder.glob("*.c")):
        run(
            compiler, "-x", language, f"-std={standard}", *STRICT, *flags,
            "-c", source, "-o", out / f"{source.stem}.o",
        )  # fmt: skip
    use = out / "use.c"
    headers = sorted(path.name for path in folder.glob("*.h") if path.name != "kd_op_resolver.h")
    use.write_text("".join(f'#include "{name}"\n#include "{name}"\n' for name in headers))
    run(
        compiler, "-x", language, f"-std={standard}", *STRICT, *flags,
        "-I", folder, "-c", use, "-o", out / "use.o",
    )  # fmt: skip


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize(("compiler", "language", "standard"), HOST)
def test_the_sources_compile_for_the_host(exported, tmp_path, kind, compiler, language, standard):
    need(compiler)
    compile_all(compiler, language, standard, exported[kind][1], tmp_path)


@pytest.mark.gcc_arm
@pytest.mark.parametrize("core", ["m0plus", "m4", "m55"])
@pytest.mark.parametrize(
    ("compiler", "language", "standard"),
    [("arm-none-eabi-gcc", "c", "c11"), ("arm-none-eabi-g++", "c++", "c++17")],
)
def test_the_sources_compile_for_cortex_m(exported, tmp_path, core, compiler, language, standard):
    need(compiler, "arm-none-eabi-objcopy", "arm-none-eabi-nm")
    path, folder = exported["two-input"]
    flags = ("-Os", "-ffreestanding", *CORES[core].flags)
    compile_all(compiler, language, standard, folder, tmp_path, *flags)
    model_object = tmp_path / "kd_model.o"
    assert symbol_bytes(model_object, "arm-none-eabi-") == path.read_bytes()
    undefined = run("arm-none-eabi-nm", "-u", tmp_path / "kd_quantize.o").decode()
    assert not re.search(r"round|trunc|copysign|floor|mem", undefined)  # no libm, no libc


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize(
    ("compiler", "language", "standard"), [("gcc", "c", "c11"), ("g++", "c++", "c++17")]
)
def test_the_compiled_array_is_the_model_file(
    exported, tmp_path, kind, compiler, language, standard
):
    need(compiler, "objcopy", "nm")
    path, folder = exported[kind]
    target = tmp_path / "kd_model.o"
    run(compiler, "-x", language, f"-std={standard}", "-c", folder / "kd_model.c", "-o", target)
    assert symbol_bytes(target, "") == path.read_bytes()


def symbol_bytes(target, prefix) -> bytes:
    """The bytes of kd_model in an object file, once its place is seen to be a multiple of 16."""
    (line,) = [
        line
        for line in run(f"{prefix}nm", "-S", target).decode().splitlines()
        if line.endswith(" R kd_model")
    ]
    offset, size = (int(cell, 16) for cell in line.split()[:2])
    headers = run(f"{prefix}objdump", "-h", "-w", "-j", ".rodata", target).decode()
    assert re.search(r"\.rodata .*2\*\*([4-9]|1\d)\b", headers), headers
    assert offset % 16 == 0
    raw = target.with_suffix(".bin")
    run(f"{prefix}objcopy", "-O", "binary", "-j", ".rodata", target, raw)
    return raw.read_bytes()[offset : offset + size]


def test_the_main_loop_of_the_readme_compiles(exported, tmp_path):
    """It needs no TFLite Micro header: kd_run.h hides them."""
    need("g++")
    folder = exported["two-input"][1]
    (example,) = re.findall(r"```cpp\n(.*?)```", (folder / "README.md").read_text(), re.S)
    (tmp_path / "main.cc").write_text(example)
    flags = [flag for flag in STRICT if flag != "-Werror"]
    run(
        "g++",
        "-std=c++17",
        *flags,
        "-I",
        folder,
        "-c",
        tmp_path / "main.cc",
        "-o",
        tmp_path / "m.o",
    )


DUMP = r"""
#include <stdio.h>
#include "kd_golden.h"
#include "kd_model.h"
static void put(const void *p, size_t n) { fwrite(p, 1, n, stdout); }
int main(void)
{
    uint32_t i;
    for (i = 0; i < KD_INPUT_COUNT; i++) {
        put(kd_golden_inputs[i], KD_GOLDEN_COUNT * kd_inputs[i].size);
    }
    put(kd_golden_outputs, sizeof kd_golden_outputs);
    put(kd_golden_labels, sizeof kd_golden_labels);
    for (i = 0; i < KD_INPUT_COUNT; i++) {
        put(&kd_inputs[i].scale, 4);
        put(&kd_inputs[i].zero_point, 4);
        put(kd_inputs[i].shape, 4 * kd_inputs[i].rank);
    }
    put(&kd_output.scale, 4);
    put(&kd_output.zero_point, 4);
    for (i = 0; i < KD_LABEL_COUNT; i++) {
        puts(kd_labels[i]);
    }
    printf("%s %d %s", KD_MODEL_SHA256, KD_MODEL_BYTES, kd_inputs[1].name);
    return 0;
}
"""


def build_and_run(tmp_path, folder, program, *sources, stdin=b"") -> bytes:
    """Output of a host program with the named sources, under the sanitizers."""
    need("gcc")
    (tmp_path / "host.c").write_text(program)
    run(
        "gcc", "-std=c11", *STRICT, "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
        "-I", folder, tmp_path / "host.c", *(folder / name for name in sources),
        "-o", tmp_path / "host",
    )  # fmt: skip
    return run(tmp_path / "host", stdin=stdin)


def test_a_host_program_reads_back_what_python_gave(exported, tmp_path):
    path, folder = exported["two-input"]
    settings, model = settings_for(path), read_tflite(path)
    out = build_and_run(tmp_path, folder, DUMP, "kd_golden.c", "kd_model.c", "kd_settings.c")
    count = settings.golden_count
    expected = [array[:count].tobytes() for array in settings.golden.inputs]
    expected += [settings.golden.outputs[:count].tobytes()]
    expected += [np.array(settings.golden.labels[:count], np.uint16).tobytes()]
    for index in model.inputs:
        tensor = model.tensors[index]
        expected += [struct.pack("<fi", tensor.scales[0], tensor.zero_points[0])]
        expected += [struct.pack(f"<{len(tensor.shape)}I", *tensor.shape)]
    output = model.tensors[model.outputs[0]]
    expected += [struct.pack("<fi", output.scales[0], output.zero_points[0])]
    expected += [f"{label}\n".encode() for label in LABELS]
    expected += [f"{model.sha256} {model.n_bytes} acc:0".encode()]
    assert out == b"".join(expected)


def test_raw_windows_need_every_sensors_units_a_count(exported, tmp_path):
    """The accelerometer's are unknown: kd_front_end_run is there once they are defined."""
    need("gcc", "nm")
    source = exported["two-input"][1] / "kd_front_end_run.c"
    for flags, found in (((), False), (("-DKD_LSB_ACC=0.5f",), True)):
        run("gcc", "-std=c99", *STRICT, *flags, "-c", source, "-o", tmp_path / "run.o")
        assert (b"T kd_front_end_run" in run("nm", tmp_path / "run.o")) == found


def test_the_layouts_stand_in_the_order_of_the_model_inputs(exported):
    """The sample front end lists them the other way round."""
    text = (exported["two-input"][1] / "kd_front_end.c").read_text()
    body = text[text.index("kd_input_layouts[2]") :]
    assert body.index("/* emg */") < body.index("/* acc:0 */")


def test_a_file_that_a_compiler_without_alignment_would_break_is_refused(exported, tmp_path):
    """A C99 compiler that is not GNU-like must not place the model just anywhere."""
    need("gcc")
    source = exported["lstm"][1] / "kd_model.c"
    done = subprocess.run(
        ["gcc", "-std=c99", "-U__GNUC__", "-fsyntax-only", str(source)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "must be aligned" in done.stderr
