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
    sample_pieces,
    sample_product,
    sample_settings,
)
from programs import need

from firmware_export.phone.android import ABIS, android_files
from kd_edge.cli import run

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


def test_the_command_writes_the_project_and_keeps_what_somebody_edited(tmp_path, capsys):
    from bundle_samples import sample_bundle

    bundle = sample_bundle(tmp_path / "bundle", hostile='"$x\\')
    command = ["phone", str(bundle), "--kind", "android", "--out", str(tmp_path / "out"), "--json"]
    assert run(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert {entry["abi"] for entry in told["libraries"]} == set(MACHINES)
    assert (tmp_path / "out" / "README.md").exists()
    assert "Not verified" in (tmp_path / "out" / "README.md").read_text()
    library = tmp_path / "out" / "recogniser/src/main/jniLibs/x86_64/libkd.so"
    library.write_bytes(b"mine")
    assert run(command) == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "KD_OUTPUT"
    assert library.read_bytes() == b"mine"
