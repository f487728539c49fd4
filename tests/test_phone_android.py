"""The Android project. Oracles: readelf, and TFLite Micro on a Java virtual machine."""

from __future__ import annotations

import json
import struct
import subprocess

import pytest
from kotlin import run_kotlin
from phone_samples import (
    HOP_S,
    HOSTILE,
    sample_answers,
    sample_facts,
    sample_front_end,
    sample_pieces,
    sample_product,
    sample_settings,
)
from product_samples import product as joined
from product_samples import settings as joined_settings
from programs import need

from firmware_export.phone.android import ABIS, android_files
from kd_edge.cli import run
from kd_edge.live.host import Host

pytest.importorskip("ziglang", reason="a system's clang does not link for armeabi-v7a")

MACHINES = {"arm64-v8a": "AArch64", "armeabi-v7a": "ARM", "x86_64": "Advanced Micro Devices X86-64"}
MAIN = """
import org.kdedge.Recogniser
import java.io.File

fun main(arguments: Array<String>) {
    val recogniser = Recogniser { System.load(File(arguments[0]).absolutePath) }
    println(File(arguments[1]).inputStream().use { recogniser.selfTest(it) })
    println(Recogniser.CLASSES.joinToString(",") { name -> name.map { it.code }.joinToString(" ") })
    recogniser.start()
    for (line in File(arguments[2]).readLines()) {
        val values = line.split(" ").map(String::toInt)
        recogniser.push(values[0], ShortArray(values.size - 1) { values[it + 1].toShort() }) {
            val told = listOf(it.number, it.said, it.leading, Math.round(it.confidence * 32768))
            println((told + it.onset + it.rejected + it.scores.toList()).joinToString(" "))
        }
    }
    println(recogniser.lost)
    println(runCatching { recogniser.runInt8(ByteArray(1)) }.exceptionOrNull()!!.message)
}
"""


# What of LiteRT the engine calls, declared as its source for Android does, with checks of buffers.
# Scores are looked up: LiteRT for Python gave them for the same inputs.
INTERPRETER = """
package org.tensorflow.lite

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

class Interpreter(model: ByteBuffer, options: Options) : AutoCloseable {
    class Options {
        var threads = -1
        fun setNumThreads(numThreads: Int): Options { threads = numThreads; return this }
    }

    private var fresh = false
    private var runs = 0
    private val known = File("litert.txt").readLines().associate {
        val (inputs, scores) = it.split(" ")
        inputs to scores.chunked(2).map { byte -> byte.toInt(16).toByte() }.toByteArray()
    }

    init {
        check(model.isDirect && model.order() == ByteOrder.nativeOrder())
        val bytes = ByteArray(model.capacity()).also(model::get)
        check(bytes.contentEquals(File("model.int8.tflite").readBytes())) { "another model" }
        check(options.threads == 1)
    }

    fun resetVariableTensors() { fresh = true }

    fun runForMultipleInputsOutputs(inputs: Array<out Any>, outputs: Map<Int, Any>) {
        check(fresh) { "the state of the window before" }
        fresh = false
        runs++
        val text = StringBuilder()
        for (each in inputs) {
            val input = each as ByteBuffer
            check(input.isDirect && input.order() == ByteOrder.nativeOrder())
            for (i in 0 until input.capacity()) text.append("%02x".format(input.get(i)))
            text.append(",")
        }
        val scores = outputs.getValue(0) as ByteBuffer
        val found = checkNotNull(known[text.toString()]) { "inputs that no window has" }
        check(scores.isDirect && scores.remaining() == found.size)
        scores.put(found)
    }

    override fun close() { println("closed after $runs windows") }
}
"""
WITH_LITERT = (
    MAIN.replace(
        "fun main(arguments: Array<String>) {",
        """import org.kdedge.litert.LiteRtEngine

fun main(arguments: Array<String>) {
    val engine = LiteRtEngine.of(File("model.int8.tflite").readBytes())""",
    )
    .replace("Recogniser {", "Recogniser(engine) {")
    .replace(
        "println(recogniser.lost)",
        """println(File(arguments[1]).inputStream().use { recogniser.otherClasses(it) })
    engine.close()""",
    )
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A product, its golden vectors and its project's files."""
    product, golden = sample_product(tmp_path_factory.mktemp("model"))
    facts = sample_facts(product)
    settings = sample_settings(labels=HOSTILE)
    return product, golden, android_files(product, settings, golden, facts, hop_s=HOP_S)


@pytest.mark.parametrize("abi", [abi.name for abi in ABIS])
def test_a_library_needs_nothing_fits_16_kib_pages_and_exports_the_methods(made, abi, tmp_path):
    need("readelf")
    (tmp_path / "libkd.so").write_bytes(made[2][f"recogniser/src/main/jniLibs/{abi}/libkd.so"])
    said = subprocess.run(
        ["readelf", "-hldW", "--dyn-syms", "libkd.so"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert f"Machine:                           {MACHINES[abi]}\n" in said
    loads = [line.split()[-1] for line in said.splitlines() if line.split()[:1] == ["LOAD"]]
    assert loads
    assert set(loads) == {"0x4000"}
    assert "(NEEDED)" not in said
    assert "[libkd.so]" in said
    names = {line.split()[-1] for line in said.splitlines() if " FUNC " in line}
    assert {f"Java_org_kdedge_Native_{name}" for name in ("run", "push", "scores")} <= names
    undefined = [
        line for line in said.splitlines() if " UND " in line and line.split()[-1] != "UND"
    ]
    assert undefined == []


def test_every_native_method_of_the_kotlin_class_is_in_the_library(made):
    """Oracle: the texts of both."""
    kotlin = made[2]["recogniser/src/main/kotlin/org/kdedge/Native.kt"].decode()
    methods = {
        line.split("fun ")[1].split("(")[0] for line in kotlin.splitlines() if "external" in line
    }
    library = made[2]["recogniser/src/main/jniLibs/x86_64/libkd.so"]
    assert len(methods) > 20
    assert [m for m in methods if f"Java_org_kdedge_Native_{m}\0".encode() not in library] == []


def test_kotlin_answers_golden_vectors_and_a_stream_as_tflite_micro_does(made, tmp_path):
    product, _, files = made
    lines = [f"{stream} {' '.join(map(str, counts))}" for stream, counts in sample_pieces()]
    (tmp_path / "samples.txt").write_text("\n".join(lines))
    said = run_kotlin(files, MAIN, tmp_path, "samples.txt").splitlines()
    assert said[0] == "0"
    code_units = [
        " ".join(str(unit) for unit in struct.unpack(f">{len(coded) // 2}H", coded))
        for coded in (name.encode("utf-16-be") for name in HOSTILE)
    ]
    assert said[1] == ",".join(code_units)
    assert said[2:-2] == sample_answers(product)
    assert len(said) > 8
    assert said[-2] == "0"
    assert said[-1].startswith("a window has")


def test_with_litert_the_same_windows_get_its_scores_and_the_rule_sees_those(made, tmp_path):
    """Oracle: LiteRT for Python on the host's windows, and the host's rule. Inputs that differ from
    the host's by one bit are not found."""
    product, golden, files = made
    known, told, stream = litert_answers(product, golden)
    lines = [f"{stream} {' '.join(map(str, counts))}" for stream, counts in sample_pieces()]
    (tmp_path / "samples.txt").write_text("\n".join(lines))
    (tmp_path / "litert.txt").write_text("\n".join(map(" ".join, known.items())))
    (tmp_path / "Interpreter.kt").write_text(INTERPRETER)
    sources = ("LiteRtEngine.kt", "Interpreter.kt")
    text = run_kotlin(files, WITH_LITERT, tmp_path, "samples.txt", sources=sources)
    said = text.splitlines()
    n_windows = 2 * len(golden.labels) + len(stream)  # golden vectors are asked twice
    assert (said[0], said[-3]) == tuple(map(str, told))
    assert said[-2] == f"closed after {n_windows} windows"
    assert said[2:-3] == stream
    assert len(stream) > 4


class Noted(Host):
    """LiteRT behind the host's front end; it notes what it was given, and its scores."""

    def __init__(self, product):
        super().__init__(product, sample_front_end(), runtime="litert")
        self.known = {}

    def answer_quantised(self, inputs, **options):
        scores = super().answer_quantised(inputs, **options)
        key = "".join(f"{array.tobytes().hex()}," for array in inputs)
        self.known[key] = scores.tobytes().hex()
        return scores


def litert_answers(product, golden):
    """Inputs in hexadecimal -> LiteRT's scores; how many golden vectors get other scores than from
    TFLite Micro, and another class; and what the stream leads to."""
    host, scores, classes = Noted(product), 0, 0
    for index, expected in enumerate(golden.outputs):
        found = host.answer_quantised([array[index : index + 1] for array in golden.inputs])
        scores += bool((found != expected).any())
        classes += bool(found.argmax() != expected.argmax())
    stream = sample_answers(product, host)
    return host.known, (scores, classes), stream


def test_a_product_of_several_models_has_no_litert(tmp_path):
    """Oracle: what a project of one model has."""
    several = joined(tmp_path, "average")
    settings = joined_settings(several)
    abis = [abi for abi in ABIS if abi.name == "x86_64"]
    facts = sample_facts(several)
    files = android_files(several, settings, settings.golden, facts, hop_s=None, abis=abis)
    assert not [path for path in files if path.startswith("litert/")]
    assert b"litert" not in files["settings.gradle.kts"]
    assert b"There is no LiteRT variant" in files["README.md"]


def test_the_command_writes_the_project_and_keeps_what_somebody_edited(tmp_path, capsys):
    from bundle_samples import sample_bundle

    bundle = sample_bundle(tmp_path / "bundle", hostile='"$x\\')
    command = ["phone", str(bundle), "--kind", "android", "--out", str(tmp_path / "out"), "--json"]
    assert run(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert {entry["abi"] for entry in told["libraries"]} == set(MACHINES)
    assert (tmp_path / "out" / "README.md").exists()
    told = (tmp_path / "out" / "README.md").read_text()
    assert "Not verified" in told
    assert "Nor was `litert/` ever compiled against LiteRT's own library" in told
    assert '":litert"' in (tmp_path / "out" / "settings.gradle.kts").read_text()
    model = tmp_path / "out" / "litert/src/main/assets/model.int8.tflite"
    (built,) = bundle.glob("*.int8.tflite")
    assert model.read_bytes() == built.read_bytes()
    library = tmp_path / "out" / "recogniser/src/main/jniLibs/x86_64/libkd.so"
    library.write_bytes(b"mine")
    assert run(command) == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "KD_OUTPUT"
    assert library.read_bytes() == b"mine"
