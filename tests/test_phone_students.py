"""Students of the recipes on phones' processors and in browsers, bit for bit.

Oracles: the bundle's golden vectors, which are TFLite Micro's answers; the host's front end, and
TFLite Micro behind it.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from kotlin import run_kotlin
from phone_browsers import ANSWERS, BROWSERS, opened
from phone_machines import MACHINES, answers_of
from phone_samples import need_clang
from student_bundles import student_bundles

from firmware_export.front_end import model_front_end
from firmware_export.phone.android import ABIS, android_files
from firmware_export.phone.sources import phone_sources
from kd_edge.base.front_end import raw_samples
from kd_edge.base.raw_window import pack_raw
from kd_edge.examples.raw import quantised_window
from kd_edge.pipeline.boards.phone import export_page, phone_settings
from kd_edge.pipeline.boards.project import project_facts
from kd_edge.runtimes.composed import open_product

# Golden vectors, then each raw window's scores.
MAIN = """
import org.kdedge.Recogniser
import java.io.File

fun main(arguments: Array<String>) {
    val recogniser = Recogniser { System.load(File(arguments[0]).absolutePath) }
    println(File(arguments[1]).inputStream().use { recogniser.selfTest(it) })
    val windows = File(arguments[2]).readBytes()
    val size = windows.size / arguments[3].toInt()
    for (at in 0 until windows.size step size) {
        println(recogniser.runRaw(windows, at).scores.joinToString(" "))
    }
}
"""
RECORDINGS = {"isl-alphabet": "isl_alphabet_myo"}
RECIPES = ("demo", "isl-alphabet", "seed-single", "seed-multi-expert")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(5400)]  # converters and emulators


@pytest.fixture(scope="module")
def bundles(tmp_path_factory, converter):
    yield from student_bundles(tmp_path_factory)


@pytest.fixture(params=RECIPES)
def bundle(request, bundles):
    name = request.param
    data = request.getfixturevalue("shared_data")(RECORDINGS[name]) if name in RECORDINGS else None
    return bundles(name, data)


def expected(bundle, raw):
    """Each raw window's int8 values and scores, by the host and TFLite Micro."""
    session = open_product(bundle.product, "tflm")
    front_end = model_front_end(bundle.front_end, session.inputs)
    inputs = [quantised_window(counts, front_end, session.inputs) for counts in raw]
    scores = [
        session.run([a.reshape(s.shape) for a, s in zip(each, session.inputs, strict=True)])[0]
        for each in inputs
    ]
    flat = [np.concatenate([np.asarray(a).reshape(-1) for a in each]) for each in inputs]
    return front_end, np.stack(flat), np.stack([s.reshape(-1) for s in scores])


def odd_windows(front_end):
    """A click before silence, whose filters fade into denormals; the ends of 16 bits; noise."""
    lengths = raw_samples(front_end)
    rng = np.random.default_rng(7)
    shapes = {s.name: (lengths[s.name], len(s.channels)) for s in front_end.streams}
    click = {name: np.zeros(shape, np.int16) for name, shape in shapes.items()}
    for values in click.values():
        values[1] = 30000
    ends = {n: rng.choice([-32768, 32767], shape).astype(np.int16) for n, shape in shapes.items()}
    noise = {n: rng.integers(-9, 9, shape).astype(np.int16) for n, shape in shapes.items()}
    return [click, ends, noise]


@pytest.mark.parametrize("machine", MACHINES)
def test_a_student_answers_golden_and_raw_windows_bit_for_bit(bundle, machine, tmp_path):
    own = MACHINES[machine]
    raw = [*bundle.raw, *odd_windows(model_front_end(bundle.front_end, bundle.product.inputs))]
    front_end, inputs, scores = expected(bundle, raw)
    settings = phone_settings(bundle, front_end)
    sources = phone_sources(bundle.product, own.core, settings, hop_s=0.5)
    found = answers_of(own, sources, bundle.golden, raw, front_end, tmp_path)
    assert len(found.golden) >= 20
    assert len(np.unique(found.golden)) > 50  # bits that tell something
    np.testing.assert_array_equal(found.golden, bundle.golden.outputs.reshape(found.golden.shape))
    np.testing.assert_array_equal(found.inputs, inputs)
    np.testing.assert_array_equal(found.scores, scores)


def test_a_students_page_answers_bit_for_bit_in_every_browser(bundle, tmp_path):
    need_clang()
    page_file = export_page(bundle.folder, tmp_path).path
    _, _, scores = expected(bundle, bundle.raw)
    for name in BROWSERS:
        (tmp_path / name).mkdir()
        with opened(name, page_file, tmp_path / name) as page:
            found = page.resolved(ANSWERS)
        assert (name, found["n"], found["wrong"]) == (name, len(bundle.golden.labels), [])
        assert json.dumps(found["raw"]) == json.dumps(scores.tolist())


def test_a_student_answers_bit_for_bit_on_a_java_virtual_machine(bundle, tmp_path):
    raw = [*bundle.raw, *odd_windows(model_front_end(bundle.front_end, bundle.product.inputs))]
    front_end, _, scores = expected(bundle, raw)
    files = android_files(
        bundle.product, phone_settings(bundle, front_end), bundle.golden,
        project_facts(bundle, "aot", "none", link="none"), hop_s=0.5,
        abis=[abi for abi in ABIS if abi.name == "x86_64"],
    )  # fmt: skip
    windows = b"".join(pack_raw(counts, front_end) for counts in raw)
    (tmp_path / "raw.bin").write_bytes(windows)
    said = run_kotlin(files, MAIN, tmp_path, "raw.bin", str(len(raw))).splitlines()
    assert said[0] == "0"
    found = np.array([[int(value) for value in line.split()] for line in said[1:]], np.int8)
    np.testing.assert_array_equal(found, scores)
