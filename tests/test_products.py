"""Several models that answer as one: on the host, as C for both engines, and on a board."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from firmware_samples import STRICT, dense_model, run, settings_for
from product_samples import ACC, EMG, RULES, THREE, dense, front_end, models, product, settings
from programs import need

from firmware_export.aot.engine import engine_files, export_engine
from firmware_export.aot.export import compiled_sources
from firmware_export.boards import find_board
from firmware_export.boards.emulator import start
from firmware_export.firmware import RUNTIME, build_firmware, firmware_sources
from firmware_export.golden_here import run_golden_here
from firmware_export.tflm import export_tflm
from kd_edge.base.composition import Composition, answer, common_scale
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.product import read_product
from kd_edge.link.channel import Patience
from kd_edge.link.device import Device
from kd_edge.live.host import Host
from kd_edge.runtimes.composed import open_product
from kd_edge.runtimes.registry import open_interpreter

# Of the four models two are called alike in C, and two take one input in different units.
PREFIXES = ["kd_model_tiny", "kd_model_large_one", "kd_model_tiny_2", "kd_model_which"]


@pytest.mark.parametrize("rule", RULES)
def test_the_host_answers_by_the_rule_over_each_models_own_answer(rule, tmp_path):
    """Oracle: each model alone in TFLite Micro, and `answer` over what it says."""
    made = product(tmp_path, rule)
    session = open_product(made, "tflm")
    alone = [open_interpreter("tflm", member.path) for member in made.members]
    golden = settings(made).golden
    for i, (scores, who) in enumerate(zip(golden.outputs, golden.answered, strict=True)):
        window = [array[i : i + 1] for array in golden.inputs]

        def one(place, window=window):
            return alone[place].run([window[k] for k in made.feeds[place]])[0]

        expected, answered = answer(made.composition, made.common, one)
        np.testing.assert_array_equal(scores, expected[0])
        assert who == answered
    assert len(set(golden.answered)) == (1 if rule == "average" else len(made.composition.models))
    assert [spec.name for spec in session.outputs] == [made.outputs[0].name, "answered"]


def test_models_that_take_an_input_in_other_units_get_their_own(tmp_path):
    made = product(tmp_path, "selector")
    assert [spec.name for spec in made.inputs] == ["emg", "acc", "emg of Tiny!"]
    assert made.feeds == ((0,), (1, 0), (2,), (1,))


def test_a_product_of_other_models_or_another_rule_has_another_name(tmp_path):
    paths = models(tmp_path)
    one = read_product(paths, RULES["cascade"])
    less = replace(RULES["cascade"], least_margins=(40, 24))
    assert one.sha256 == read_product(paths, RULES["cascade"]).sha256
    assert one.sha256 != read_product(paths, less).sha256
    dense(paths["tiny"], {"emg": (EMG, 0.02, 3)}, 4, (0.02, -5), seed=77)
    assert one.sha256 != read_product(paths, RULES["cascade"]).sha256


@pytest.mark.parametrize("rule", RULES)
def test_plain_c_answers_as_the_host(rule, tmp_path):
    """Oracle: the golden vectors, which each model's own interpreter and the rule gave."""
    need("gcc")
    made = product(tmp_path, rule)
    golden = settings(made).golden
    found = run_golden_here(made, settings(made))
    np.testing.assert_array_equal(found[:, :-1], golden.outputs)
    np.testing.assert_array_equal(found[:, -1], golden.answered)


def test_plain_c_is_clean_under_sanitizers_and_strict(tmp_path):
    """Oracle: gcc's warnings as errors, and its address and undefined-behaviour sanitizers."""
    need("gcc")
    made = product(tmp_path / "models", "cascade")
    compiled, beside = engine_files(made, "host", settings(made))
    files = {**compiled_sources(compiled), **beside, "main.c": SANITIZED_MAIN}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    run(
        "gcc", "-std=c99", *STRICT, "-g", "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all", "-I", tmp_path,
        *(tmp_path / name for name in files if name.endswith(".c")), "-o", tmp_path / "main",
    )  # fmt: skip
    assert run(tmp_path / "main") == b"-1 40 0\n"


SANITIZED_MAIN = """#include <stdio.h>
#include "kd_golden.h"
#include "kd_run.h"
int main(void)
{
    static int8_t output[KD_OUTPUT_SIZE];
    const int before = kd_answered();
    unsigned right = 0;
    int differing = 0;
    if (kd_scores() != NULL || kd_run(kd_golden_inputs, output) != KD_RUN_NOT_READY) {
        return 1;
    }
    (void)kd_init();
    for (uint32_t window = 0; window < KD_GOLDEN_COUNT; window++) {
        const int8_t *inputs[KD_INPUT_COUNT];
        for (uint32_t i = 0; i < KD_INPUT_COUNT; i++) {
            inputs[i] = kd_golden_inputs[i] + window * kd_inputs[i].size;
        }
        (void)kd_run(inputs, output);
        right += kd_answered() == kd_golden_answered[window];
        for (uint32_t i = 0; i < KD_OUTPUT_SIZE; i++) {
            differing += output[i] != kd_golden_outputs[window][i];
        }
    }
    printf("%d %u %d\\n", before, right, differing);
    return kd_models[0][0] == 't' ? 0 : 2;
}
"""


def test_an_export_has_every_model_under_its_prefix(tmp_path):
    """Oracle: names by hand: 'Tiny!' and 'tiny' fall together."""
    made = product(tmp_path / "models", "selector")
    export_engine(made, tmp_path / "aot", "m4", settings(made))
    manifest = json.loads((tmp_path / "aot" / "manifest.json").read_text())
    assert [model["prefix"] for model in manifest["models"]] == PREFIXES
    written = export_tflm(made, tmp_path / "tflm", settings(made))
    names = {path.name for path in written}
    assert {f"{prefix}.c" for prefix in PREFIXES} | {"kd_run.cc", "kd_rule.c"} <= names
    manifest = json.loads((tmp_path / "tflm" / "manifest.json").read_text())
    assert [model["name"] for model in manifest["models"]] == [*THREE, "which"]
    # The next export, of one model, leaves nothing of them.
    export_tflm(made.members[0].path, tmp_path / "tflm", settings_of_one(made))
    left = {path.name for path in (tmp_path / "tflm").iterdir()}
    assert not {f"{prefix}.c" for prefix in PREFIXES} & left
    assert "kd_rule.c" not in left


def settings_of_one(made):
    return replace(settings(made), golden=None, arenas=())


@pytest.mark.parametrize("engine", ["aot", "tflm"])
def test_firmware_of_one_model_has_no_trace_of_rules(engine, tmp_path):
    model = dense_model(tmp_path / "one.tflite")
    more = settings_for(model, labels=())
    firmware = firmware_sources(model, find_board("qemu-an386"), more, engine=engine)
    copied = {path.name for path in RUNTIME.rglob("*.[ch]")}  # for any model; the compiler chooses
    generated = {n: t for n, t in firmware.files.items() if n not in copied}
    assert "kd_run.h" in generated
    for word in ("KD_MODEL_COUNT", "kd_answered", "kd_rule", "kd_models", "kd_invoke_every"):
        assert not [name for name, text in generated.items() if word in text], word
    assert "KD_LINK_BESIDE_BYTES" not in firmware.defines
    assert "kd_rule.c" not in firmware.files


# TFLite Micro's interpreter, as far as kd_run.cc uses it, over the plain C of the same models: it
# answers bit for bit alike, and the library's own headers are not there in tests.
STAND_IN = r"""
#pragma once
#include <cstddef>
#include <cstdint>
enum TfLiteStatus { kTfLiteOk, kTfLiteError };
enum TfLiteType { kTfLiteInt8 };
#define TFLITE_SCHEMA_VERSION 3
struct TfLiteTensor { TfLiteType type; size_t bytes; struct { int8_t *int8; } data; };
struct Engine {
    const unsigned char *model;
    void (*invoke)();
    void (*reset)();
    TfLiteTensor inputs[2];
    size_t n_inputs;
    TfLiteTensor output;
};
extern Engine engines[];
extern const size_t engine_count;
namespace tflite {
struct Model { int version() const { return 3; } };
inline const Model *GetModel(const unsigned char *content)
{
    return reinterpret_cast<const Model *>(content);
}
template <unsigned n> struct MicroMutableOpResolver {
    TfLiteStatus AddFullyConnected(int = 0) { return kTfLiteOk; }
    TfLiteStatus AddAdd(int = 0) { return kTfLiteOk; }
};
inline int Register_FULLY_CONNECTED_INT8() { return 0; }
inline int Register_ADD_INT8() { return 0; }
class MicroInterpreter {
  public:
    template <class Resolver>
    MicroInterpreter(const Model *model, const Resolver &, uint8_t *, size_t)
    {
        for (size_t i = 0; i < engine_count; i++) {
            if (static_cast<const void *>(engines[i].model) == static_cast<const void *>(model)) {
                engine_ = &engines[i];
            }
        }
    }
    TfLiteStatus AllocateTensors() { return engine_ ? kTfLiteOk : kTfLiteError; }
    size_t inputs_size() { return engine_->n_inputs; }
    size_t outputs_size() { return 1; }
    TfLiteTensor *input(size_t i) { return &engine_->inputs[i]; }
    TfLiteTensor *output(size_t) { return &engine_->output; }
    TfLiteStatus Invoke() { engine_->invoke(); return kTfLiteOk; }
    TfLiteStatus Reset() { engine_->reset(); return kTfLiteOk; }
    size_t arena_used_bytes() { return 8; }
  private:
    Engine *engine_ = nullptr;
};
}
"""
HEADERS = (
    "tensorflow/lite/micro/micro_interpreter.h",
    "tensorflow/lite/schema/schema_generated.h",
    "tensorflow/lite/micro/micro_mutable_op_resolver.h",
    "tensorflow/lite/micro/kernels/fully_connected.h",
    "tensorflow/lite/micro/kernels/add.h",
)


@pytest.mark.parametrize("rule", RULES)
def test_the_runner_for_tflite_micro_answers_as_the_host(rule, tmp_path):
    """Oracle: the golden vectors. The interpreter's place is taken by the plain C of each model."""
    need("g++", "gcc")
    made = product(tmp_path / "models", rule)
    out, plain = tmp_path / "tflm", tmp_path / "plain"
    export_tflm(made, out, settings(made))
    for header in HEADERS:
        (tmp_path / header).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / header).write_text('#pragma once\n#include "stand_in.h"\n')
    (tmp_path / "stand_in.h").write_text(STAND_IN)
    plain.mkdir()
    compiled, _ = engine_files(made, "host", settings(made))
    # The plain C under names of its own, since the arrays have the same.
    sources = {n.replace("kd_model", "aot"): t.replace("kd_model", "aot").replace("KD_MODEL", "AOT")
               for n, t in compiled_sources(compiled).items()}  # fmt: skip
    for name, text in sources.items():
        (plain / name).write_text(text)
    (tmp_path / "main.cc").write_text(_main(made, compiled))
    c_files = [*plain.glob("*.c"), *(p for p in out.glob("*.c") if p.name != "kd_model.c")]
    for path in c_files:
        run(
            "gcc",
            "-std=c11",
            "-g",
            "-I",
            out,
            "-I",
            plain,
            "-c",
            path,
            "-o",
            path.with_suffix(".o"),
        )
    run(
        "g++", "-std=c++17", *STRICT, "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics",
        "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
        *(part for folder in (tmp_path, out, plain) for part in ("-isystem", folder)),
        out / "kd_run.cc", tmp_path / "main.cc", *(p.with_suffix(".o") for p in c_files),
        "-o", tmp_path / "main",
    )  # fmt: skip
    golden = settings(made).golden
    found = np.frombuffer(run(tmp_path / "main"), np.int8).reshape(len(golden.labels), -1)
    np.testing.assert_array_equal(found[:, :-1], golden.outputs)
    np.testing.assert_array_equal(found[:, -1], golden.answered)


def _main(made, compiled) -> str:
    engines, includes = [], []
    for member, each in zip(made.members, compiled, strict=True):
        prefix = each.settings.prefix
        own = prefix.replace("kd_model", "aot")
        includes += [f'#include "{prefix}.h"', f'#include "{own}.h"']
        inputs = ", ".join(
            f"{{kTfLiteInt8, {own.upper()}_INPUT_{i}_SIZE, {{{own}_input_{i}()}}}}"
            for i in range(len(member.inputs))
        )
        output = (
            f"{{kTfLiteInt8, {own.upper()}_OUTPUT_0_SIZE, "
            f"{{const_cast<int8_t *>({own}_output_0())}}}}"
        )
        engines.append(
            f"{{{prefix}, {own}_invoke, {own}_reset, {{{inputs}}}, {len(member.inputs)}, {output}}}"
        )
    return "\n".join(
        [
            "#include <cstdio>",
            '#include "stand_in.h"',
            '#include "kd_golden.h"',
            '#include "kd_run.h"',
            *includes,
            f"Engine engines[] = {{{', '.join(engines)}}};",
            f"const size_t engine_count = {len(engines)};",
            _RUN_ALL,
        ]
    )


_RUN_ALL = """
int main()
{
    int8_t answer[KD_OUTPUT_SIZE + 1];
    if (kd_init() != KD_RUN_OK || kd_arena_used_bytes() != 8 * engine_count) {
        return 1;
    }
    for (uint32_t window = 0; window < KD_GOLDEN_COUNT; window++) {
        const int8_t *inputs[KD_INPUT_COUNT];
        for (uint32_t i = 0; i < KD_INPUT_COUNT; i++) {
            inputs[i] = kd_golden_inputs[i] + window * kd_inputs[i].size;
        }
        if (kd_run(inputs, answer) != KD_RUN_OK) {
            return 2;
        }
        answer[KD_OUTPUT_SIZE] = static_cast<int8_t>(kd_answered());
        std::fwrite(answer, 1, sizeof answer, stdout);
    }
    return 0;
}
"""


@pytest.mark.qemu
def test_a_board_tells_its_models_and_answers_as_the_host(tmp_path):
    """Oracle: the host's session, bit for bit, on an emulated Cortex-M4F."""
    board = find_board("qemu-an386")
    made = product(tmp_path / "models", "selector")
    chosen = replace(settings(made), front_end=front_end())
    image = build_firmware(firmware_sources(made, board, chosen), board, tmp_path / "image")
    golden = chosen.golden
    with (
        start(board, image.elf, count_instructions=True) as emulator,
        Device.open(
            emulator.url, model_sha256=made.sha256, patience=Patience(timeout=10.0)
        ) as device,
    ):
        hello = device.hello
        assert (hello.rule, [model.name for model in hello.models]) == (
            "selector",
            [*THREE, "which"],
        )
        for told, member in zip(hello.models, made.members, strict=True):
            assert told.sha256 == member.model.sha256
            for said, specs in ((told.inputs, member.inputs), (told.outputs, member.outputs)):
                assert [(t.name, t.shape, t.zero_point) for t in said] == [
                    (s.name, s.shape, s.zero_point) for s in specs
                ]
                np.testing.assert_allclose([t.scale for t in said], [s.scale for s in specs])
        windows = [tuple(a[i : i + 1] for a in golden.inputs) for i in range(len(golden.labels))]
        for index, found in enumerate(device.run_many(windows, kind="int8")):
            expected = [*golden.outputs[index], golden.answered[index]]
            np.testing.assert_array_equal(found.scores, expected)
        # Two models quantise the sEMG differently: the board's front end feeds each its own.
        rng = np.random.default_rng(2)
        for _ in range(3):
            raw = [rng.integers(-9000, 9000, (1, n)).astype(np.int16) for n in (EMG, ACC)]
            (found,) = device.run_many([tuple(raw)], kind="raw")
            np.testing.assert_array_equal(found.scores, Host(made, front_end()).answer(raw))
        assert not device.selftest().failures
        layers = device.profile()
        assert {layer.name.split(":")[0] for layer in layers} == {*THREE, "which"}
        assert all(layer.ticks > 0 for layer in layers)


def test_models_that_a_rule_cannot_join_are_refused(tmp_path):
    """Oracle: the errors' sentences."""
    paths = models(tmp_path)
    acc = {"acc": (ACC, 0.1, 0)}
    paths["five"] = dense(tmp_path / "five.tflite", acc, 5, (0.1, 0), seed=1)
    paths["one"] = dense(tmp_path / "one.tflite", acc, 1, (0.1, 0), seed=1)
    paths["other"] = dense(tmp_path / "other.tflite", acc, 1, (0.2, 0), seed=1)
    for composition, sentence in (
        (Composition("average", ("tiny", "five")), "different shapes"),
        (Composition("cascade", ("one", "other"), least_margins=(3,)), "needs two scores"),
        (Composition("selector", ("tiny", "large one"), selector="which"), "3 scores for 2 models"),
        (Composition("selector", THREE, selector="switch"), "1 scores for 3 models"),
    ):
        with pytest.raises(KdEdgeError, match=sentence) as caught:
            read_product(paths, composition)
        assert caught.value.code == "KD_SHAPE"


def test_the_common_scale_is_told_as_the_products_output(tmp_path):
    """Oracle: `common_scale` of the three outputs."""
    made = product(tmp_path, "cascade")
    common = common_scale("cascade", [member.outputs[0] for member in made.members])
    assert (made.outputs[0].scale, made.outputs[0].zero_point) == (common.scale, common.zero_point)
