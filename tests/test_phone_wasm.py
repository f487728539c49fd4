"""The recogniser in WebAssembly. Oracles: TFLite Micro, the host's front end and decision rule."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from phone_samples import (
    HOP_S,
    RULE,
    host_scores,
    in_node,
    need_clang,
    sample_product,
    sample_settings,
    sample_sources,
)
from programs import need
from project_samples import sample_counts, sample_front_end

from firmware_export.boards.compile_check import compile_check
from firmware_export.phone.wasm import build_wasm, wasm_sections
from firmware_export.sensors import StreamSettings, stream_plans, window_ends
from kd_edge.base.decision import Memory, decide
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import raw_samples
from kd_edge.base.raw_window import pack_raw
from kd_edge.phone.page import PageFacts, page_data


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A product, its golden vectors, and its module."""
    need_clang()
    product, golden = sample_product(tmp_path_factory.mktemp("model"))
    return product, golden, build_wasm(sample_sources(product), "wasm")


def data_of(made, **more):
    """What the page's engine is given."""
    product, golden, module = made
    settings = sample_settings()
    return page_data(
        PageFacts(
            title=settings.name, generator=settings.generator, model_sha256=product.sha256,
            synthetic=True, classes=settings.labels, output=product.outputs[0], temperature=1.0,
            front_end=settings.front_end, hop_s=HOP_S, golden=golden, raw=sample_counts(),
            decision=RULE,
        ),
        (module,),
    ) | more  # fmt: skip


def test_golden_vectors_and_raw_windows_are_answered_bit_for_bit_in_node(made):
    product, golden, _ = made
    windows = [pack_raw(counts, sample_front_end()) for counts in sample_counts()]
    test, raw = in_node(
        """const engine = await kdEngine.open(values.data);
        const raw = values.windows.map((w) => Array.from(engine.runRaw(kdEngine.bytesOf(w))));
        return [engine.selfTest(), raw];""",
        data=data_of(made),
        windows=[base64.b64encode(w).decode() for w in windows],
    )
    assert (test["n"], test["wrong"]) == (len(golden.labels), [])
    assert raw == [host_scores(product, counts).tolist() for counts in sample_counts()]


def test_a_golden_vector_that_is_answered_otherwise_fails_the_self_test(made):
    data = data_of(made)
    wrong = bytearray(base64.b64decode(data["golden"]["outputs"]))
    wrong[7] ^= 1  # the third score of the second window
    data["golden"]["outputs"] = base64.b64encode(wrong).decode()
    script = "return (await kdEngine.open(values.data)).selfTest().wrong;"
    assert in_node(script, data=data) == [1]


def test_a_stream_is_cut_into_windows_answered_and_decided_as_a_board_does(made):
    """Samples come in uneven pieces; of one sensor 5 are lost, and with them a window."""
    product, *_ = made
    front_end, lengths = sample_front_end(), raw_samples(sample_front_end())
    rng = np.random.default_rng(4)
    seconds = 4
    streams = {
        s.name: rng.integers(
            -3000, 3000, (round(seconds * s.source_rate_hz), len(s.channels))
        ).astype(np.int16)
        for s in front_end.streams
    }
    plans = stream_plans(front_end, StreamSettings(hop_s=HOP_S))
    hole = (150, 155)
    found = in_node(
        """const engine = await kdEngine.open(values.data), found = [];
        const take = (a) => found.push([a.number, Array.from(a.scores), a.said, a.leading,
          Math.round(a.confidence * 32768), a.onset, a.rejected]);
        engine.start();
        const [low, high] = values.hole;
        for (let t = 0; t < values.turns; t++) values.streams.forEach(({ rows, piece }, s) => {
          for (let i = t * piece; i < Math.min((t + 1) * piece, rows.length); i++) {
            if (s === 0 && i >= low && i < high) engine.lose(0, 1, take);
            else engine.push(s, Int16Array.from(rows[i]), rows[i].length, take);
          }
        });
        return [found, engine.lost()];""",
        data=data_of(made),
        hole=hole,
        turns=200,
        streams=[
            {"rows": streams[s.name].tolist(), "piece": piece}
            for s, piece in zip(front_end.streams, (9, 2), strict=True)
        ],
    )
    memory, expected = Memory(RULE), []
    for number in range(1000):
        ends = {
            s.name: window_ends(plan, lengths[s.name], number)
            for s, plan in zip(front_end.streams, plans, strict=True)
        }
        if any(end > len(streams[name]) for name, end in ends.items()):
            break
        if ends["emg"] > hole[0] and ends["emg"] - lengths["emg"] < hole[1]:
            continue
        counts = {name: streams[name][end - lengths[name] : end] for name, end in ends.items()}
        scores = host_scores(product, counts)
        memory, told = decide(RULE, memory, scores)
        expected.append(
            [number, scores.tolist(), told.said, told.leading, told.confidence, told.onset,
             told.rejected]
        )  # fmt: skip
    assert found == [expected, hole[1] - hole[0]]
    assert len(expected) > 5
    assert {row[-1] for row in expected} == {False, True}


def test_a_model_without_front_end_takes_int8_windows_alone(tmp_path):
    need_clang()
    product, golden = sample_product(tmp_path)
    module = build_wasm(sample_sources(product, front_end=None, decision=None), "wasm")
    data = data_of((product, golden, module))
    found = in_node(
        """const engine = await kdEngine.open(values.data);
        let refused = null;
        try { engine.start(); } catch (error) { refused = error.message; }
        return [engine.selfTest().wrong, engine.decides, engine.rawBytes, refused];""",
        data=data,
    )
    assert found == [[], False, 0, "the stream does not start: status -100"]


def test_a_window_of_another_size_and_an_unknown_stream_are_refused(made):
    found = in_node(
        """const engine = await kdEngine.open(values.data), said = [];
        const works = [() => engine.runInt8(new Uint8Array(3)),
          () => engine.push(7, new Int16Array(3), 3, null), () => engine.lose(-1, 1, null)];
        for (const work of works)
          try { work(); said.push("taken"); } catch (error) { said.push(error.message); }
        return said;""",
        data=data_of(made),
    )
    assert found[0].endswith("bytes, not 3")
    assert found[1:] == [
        "samples were not taken: status -100",
        "samples were not counted: status -100",
    ]


def test_a_module_imports_nothing_and_its_sections_are_all_its_bytes(made):
    """Oracle: every byte behind the eight of the magic number stands in a section."""
    module = made[2]
    assert "imports" not in module.sections
    assert sum(module.sections.values()) == len(module.content) - 8
    assert module.sections["code"] > module.sections["exports"]


@pytest.mark.parametrize("cut", [0, 4, 9, 10, 60, -1])
def test_a_module_that_is_cut_short_is_refused(made, cut):
    with pytest.raises(ValueError, match=r"module|number"):
        wasm_sections(made[2].content[:cut])


def test_sections_of_any_bytes_end_in_figures_or_a_refusal(made):
    content = made[2].content[:400]
    rng = np.random.default_rng(3)
    for _ in range(500):
        changed = bytearray(content)
        for at in rng.integers(8, len(changed), 3):
            changed[at] = rng.integers(256)
        try:
            assert sum(wasm_sections(bytes(changed)).values()) == len(changed) - 8
        except ValueError:
            continue


@pytest.mark.parametrize("more", [{}, {"front_end": None}, {"decision": None}])
def test_the_sources_compile_without_a_warning_for_this_machine(tmp_path, more):
    need("gcc", "clang")
    product, _ = sample_product(tmp_path)
    sources = sample_sources(product, "host", **more)
    for name, text in sources.files.items():
        (tmp_path / name).write_text(text)
    own = [
        tmp_path / name
        for name in sources.files
        if name.startswith("kd_phone") and name.endswith(".c")
    ]
    for defines in (sources.defines, {**sources.defines, "KD_PHONE_OUTSIDE": 1}):
        compile_check(own, core="host", include_dirs=[tmp_path], defines=defines)


def test_without_any_compiler_the_error_says_what_to_install(tmp_path, monkeypatch):
    product, _ = sample_product(tmp_path)
    sources = sample_sources(product)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(KdEdgeError) as caught:
        build_wasm(sources, "wasm")
    assert caught.value.code == "KD_MISSING_TOOL"
    assert "kd-edge[compiler]" in caught.value.hint
