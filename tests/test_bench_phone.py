"""`bench --adb`. Oracles: the bundle's golden vectors, answered by the real program in QEMU.

`adb` is a stand-in on PATH: it keeps what is pushed in a folder, and runs the phone's shell
commands there, the program of 64-bit Arm under qemu-aarch64.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from bundle_samples import sample_bundle, write_as_built
from programs import need

from firmware_export.phone.clang import Clang, link
from firmware_export.phone.program import program_files, program_options
from firmware_export.settings import Golden
from kd_edge.base.errors import KdEdgeError
from kd_edge.cli import run
from kd_edge.phone.adb import find_phone
from kd_edge.pipeline.boards.phone_bench import program_abi, read_answers

ADB = """#!/bin/sh
root={root}
export PATH={path}
if [ "$1" = devices ]; then cat "$root/devices"; exit 0; fi
if [ "$1" != -s ]; then echo "adb: unexpected $*" >&2; exit 9; fi
shift 2
getprop() {{ cat "$root/$1"; }}
here() {{ echo "$1" | sed "s|/data/local/tmp|$root/tmp|g; s|[.]/kd_phone|$root/start &|"; }}
[ -e "$root/lost" ] && {{ echo "error: device not found" >&2; exit 1; }}
case "$1" in
push) cp "$2" "$(here "$3")" || exit 1; echo "$3: 1 file pushed" ;;
shell) shift; eval "$(here "$*")" ;;
esac
"""
# How a phone starts the program.
EMULATED = 'exec qemu-aarch64 "$@"'
EMULATED_32 = 'exec qemu-arm "$@"'
# What a phone may do in the middle: its cable is pulled, or it kills the program.
PULLED = 'touch "{root}/lost"; : > "{root}/devices"; exit 1'
KILLED = 'sh "$@" | head -n 9; exit 137'
CUT = 'sh "$@" | head -n 9'


@pytest.fixture
def phone(tmp_path, monkeypatch):
    """A function that connects a phone and returns its folder."""

    def connect(devices: str = "A1\tdevice\n", *, abis: str = "arm64-v8a,x86_64", start=EMULATED):
        root = tmp_path / "phone"
        (root / "tmp").mkdir(parents=True)
        (root / "devices").write_text(f"List of devices attached\n{devices}\n")
        (root / "ro.product.cpu.abilist").write_text(f"{abis}\n")
        (root / "ro.product.model").write_text("Pixel 99\n")
        adb = tmp_path / "bin" / "adb"
        adb.parent.mkdir()
        adb.write_text(ADB.format(root=root, path=os.environ["PATH"]))
        (root / "start").write_text(f"#!/bin/sh\n{start.format(root=root)}\n")
        for script in (adb, root / "start"):
            script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{adb.parent}{os.pathsep}{os.environ['PATH']}")
        return root

    return connect


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return sample_bundle(tmp_path_factory.mktemp("made") / "bundle")


@pytest.fixture
def program_of_gcc(monkeypatch):
    """The same program by a cross-compiler that brings its C library, which zig must make first."""
    compiler = "aarch64-linux-gnu-gcc"
    need(compiler, "qemu-aarch64")

    def build(sources, abi: str) -> bytes:
        assert abi == "arm64-v8a"
        clang = Clang(compiler, (compiler,), of_zig=False)
        return link(
            clang, program_files(sources), program_options(sources), what="it", output="program"
        )

    monkeypatch.setattr("kd_edge.pipeline.boards.phone_bench.build_program", build)


def refusal(capsys, *command) -> dict:
    """The error of a command that fails."""
    assert run(["bench", *map(str, command), "--json"]) != 0
    return json.loads(capsys.readouterr().out)["error"]


@pytest.mark.usefixtures("program_of_gcc")
def test_golden_vectors_and_latency_of_a_phone(bundle, phone, capsys):
    root = phone()
    assert run(["bench", str(bundle), "--adb", "--runs", "20", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["phone"] == {
        "serial": "A1", "model": "Pixel 99", "abis": ["arm64-v8a", "x86_64"]
    }  # fmt: skip
    assert (found["abi"], found["core"]) == ("arm64-v8a", "aarch64")
    assert (found["n_golden"], found["wrong"]) == (3, [])
    times = found["latency"]
    assert (times["n"], times["unit"]) == (20, "µs")
    assert 0 < times["smallest"] <= times["p5"] <= times["median"] <= times["p99"]
    assert list((root / "tmp").iterdir()) == []


@pytest.mark.usefixtures("program_of_gcc")
@pytest.mark.parametrize(
    ("written", "time_us", "said"),
    [
        ("INFO: Inference timings in us: Init: 5685, First inference: 18535, Warmup (avg): "
         "14462.3, Inference (avg): 14575.2", 14575.2, "mean 14,575.2 µs"),
        ("INFO: ... Inference (avg): 2.61e+01", 26.1, "mean 26.1 µs"),
        ("ERROR: failed to apply XNNPACK delegate", None, "ended without a time"),
        (None, None, "benchmark_model failed: the program ended on the phone with status 126"),
    ],
)  # fmt: skip
def test_litert_stands_beside_where_its_program_was_pushed(
    bundle, phone, capsys, written, time_us, said
):
    """The program is a stand-in that says what LiteRT's documentation shows, if it gets the
    bundle's model; it stays on the phone, and what was sent does not."""
    root = phone()
    own = root / "tmp" / "benchmark_model"
    (model,) = bundle.glob("*.int8.tflite")
    own.write_text(
        "#!/bin/sh\nexit 126\n"  # of another processor
        if written is None
        else f'#!/bin/sh\ncmp "${{1#--graph=}}" {model} || exit 3\n'
        f'[ "$2$4" = --num_threads=1--use_xnnpack=true ] && echo "{written}" >&2\n'
    )
    own.chmod(0o755)
    assert run(["bench", str(bundle), "--adb", "--runs", "20", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["litert_us"] == time_us
    assert run(["bench", str(bundle), "--adb", "--runs", "20"]) == 0
    assert said in capsys.readouterr().out
    assert list((root / "tmp").iterdir()) == [own]


@pytest.mark.slow
@pytest.mark.timeout(5400)  # a C library is compiled first
@pytest.mark.parametrize(
    ("abi", "start"),
    [("arm64-v8a", EMULATED), ("armeabi-v7a", EMULATED_32)],
    ids=["arm64-v8a", "armeabi-v7a"],
)
def test_the_program_that_is_sent_to_phones_answers_golden_vectors(
    bundle, phone, capsys, abi, start
):
    """Zig compiles its C library first."""
    pytest.importorskip("ziglang", reason="a system's clang has no C library of other machines")
    need(start.split()[1])
    phone(abis=abi, start=start)
    assert run(["bench", str(bundle), "--adb", "--runs", "20"]) == 0
    assert "3 of 3 have the bundle's scores" in capsys.readouterr().out


@pytest.mark.usefixtures("program_of_gcc")
def test_other_scores_than_the_bundles_fail_with_their_number(tmp_path, phone, capsys):
    phone()
    bundle = sample_bundle(tmp_path / "bundle")
    with np.load(bundle / "golden.npz") as stored:
        golden = dict(stored)
    golden["int8_outputs"][1] ^= 1
    np.savez(tmp_path / "golden.npz", **golden)
    write_as_built(bundle, "golden.npz", (tmp_path / "golden.npz").read_bytes())
    assert run(["bench", str(bundle), "--adb", "A1", "--runs", "20"]) == 6
    said = capsys.readouterr()
    assert "2 of 3 have the bundle's scores" in said.out
    assert re.search(r"KD_GATE_PARITY.*1 of 3 golden vectors(.|\n)*vector 1", said.err)


@pytest.mark.parametrize(
    ("start", "code", "said"),
    [
        (PULLED, "KD_PORT_CLOSED", "was lost in the middle"),
        (KILLED, "KD_BOARD_PROTOCOL", "status 137"),
        (CUT, "KD_BOARD_PROTOCOL", "are not whole: 9 lines of 24"),
    ],
    ids=["pulled", "killed", "cut"],
)
def test_a_phone_that_stops_half_way_is_told_and_left_clean(
    bundle, phone, capsys, monkeypatch, start, code, said
):
    """The program itself is a script here, which writes what the real one does."""
    need("sh")
    lines = ["scores 0102030405"] * 3 + ["ns 5"] * 20 + ["end"]
    script = "#!/bin/sh\n" + "".join(f"echo {line}\n" for line in lines)
    monkeypatch.setattr(
        "kd_edge.pipeline.boards.phone_bench.build_program", lambda *_: script.encode()
    )
    root = phone(start=start)
    error = refusal(capsys, bundle, "--adb", "--runs", "20")
    assert error["code"] == code
    assert said in error["message"]
    assert (root / "lost").exists() or list((root / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("devices", "command", "code", "said"),
    [
        ("", ["--adb"], "KD_PORT_ABSENT", "no phone is connected"),
        ("A1\tunauthorized\n", ["--adb"], "KD_PORT_DENIED", "has not allowed this computer"),
        ("A1\tno permissions (user is not in plugdev); see [http://x]\n", ["--adb"],
         "KD_PORT_DENIED", "has not allowed this computer"),
        ("A1\toffline\n", ["--adb"], "KD_BOARD_TIMEOUT", "it is offline"),
        ("A1\tdevice\nB2\tdevice\n", ["--adb"], "KD_USAGE", "2 phones are connected"),
        ("A1\tdevice\n", ["--adb", "C3"], "KD_PORT_ABSENT", "no phone C3 is connected"),
    ],
)  # fmt: skip
def test_a_phone_that_cannot_be_reached_is_told(
    bundle, phone, capsys, devices, command, code, said
):
    phone(devices)
    error = refusal(capsys, bundle, *command)
    assert error["code"] == code
    assert said in error["message"]
    assert error["hint"]


def test_of_several_phones_the_named_one_is_taken(phone):
    phone("* daemon started successfully\nA1\toffline\nB2\tdevice\n")
    assert find_phone("B2").serial == "B2"


def test_a_phone_of_another_processor_is_told(phone):
    phone(abis="mips,armeabi")
    with pytest.raises(KdEdgeError) as caught:
        program_abi(find_phone())
    assert caught.value.code == "KD_BOARD_MODEL"
    assert "mips, armeabi alone" in caught.value.message


def test_the_phones_favourite_of_what_can_be_made_is_taken(phone):
    phone(abis="riscv64,x86_64,arm64-v8a")
    assert program_abi(find_phone()) == "x86_64"


def test_without_adb_the_error_says_where_it_is(bundle, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    error = refusal(capsys, bundle, "--adb")
    assert error["code"] == "KD_MISSING_TOOL"
    assert "platform-tools" in error["hint"]


def test_options_of_this_machines_report_do_not_go_with_a_phone(bundle, capsys):
    assert run(["bench", str(bundle), "--html", "a.html", "--adb"]) == 2
    assert "--adb measures on a phone, and --html on this machine" in capsys.readouterr().err


def test_answers_of_any_text_are_read_or_refused():
    """A line that is lost, doubled, cut or altered is never taken."""
    golden = Golden((), np.zeros((3, 5), np.int8), (0,) * 3)
    lines = ["scores 00ff80017f"] * 3 + ["ns 5000"] * 4 + ["end"]
    scores, times = read_answers("\r\n".join(lines) + "\r\n", golden, 4)
    assert scores.tolist() == [[0, -1, -128, 1, 127]] * 3
    assert times.tolist() == [5.0] * 4
    rng = np.random.default_rng(1)
    for _ in range(300):
        changed = list(lines)
        at = int(rng.integers(len(changed)))
        kind = rng.integers(4)
        if kind == 0:
            del changed[at]
        elif kind == 1:
            changed.insert(at, changed[at])
        elif kind == 2:
            changed[at] = changed[at][: int(rng.integers(len(changed[at])))]
        else:
            changed[at] = changed[at].replace(changed[at][-1], "\x00 g"[int(rng.integers(3))])
        if changed[at : at + 1] and re.fullmatch(r"ns \d+", changed[at]) and kind == 2:
            continue  # a shorter number is a number
        with pytest.raises(KdEdgeError) as caught:
            read_answers("\n".join(changed), golden, 4)
        assert caught.value.code == "KD_BOARD_PROTOCOL"


def test_the_program_keeps_to_what_its_comment_says(tmp_path):
    """Strict C99, for this machine."""
    need("gcc", "clang")
    from phone_samples import sample_product, sample_sources

    from firmware_export.boards.compile_check import compile_check
    from firmware_export.firmware import RUNTIME

    product, _ = sample_product(tmp_path)
    sources = sample_sources(product, "host", front_end=None, decision=None)
    for name, text in sources.files.items():
        (tmp_path / name).write_text(text)
    own = RUNTIME / "phone_bench" / "kd_phone_bench.c"
    compile_check([Path(own)], core="host", include_dirs=[tmp_path], defines=sources.defines)
