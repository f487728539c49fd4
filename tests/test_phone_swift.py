"""The Swift package. Oracles: clang for Apple's targets, TFLite Micro, and Swift where it is."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from phone_samples import (
    HOP_S,
    HOSTILE,
    run_in,
    sample_answers,
    sample_facts,
    sample_pieces,
    sample_product,
    sample_settings,
)
from programs import need
from waiting import BOUND_S

from firmware_export.aot.cores import WASM
from firmware_export.phone.swift import C_TARGET, for_both, swift_files
from kd_edge.cli import run

TARGETS = ("arm64-apple-ios14.0", "arm64-apple-macos11.0", "x86_64-apple-macos11.0")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror")
# What Apple's SDK brings.
APPLES = ("-ffreestanding", f"-I{WASM.libc}")
SELF_TEST = """
#include <stdio.h>
#include <string.h>
#include "kd_phone.h"
int main(void)
{
    static unsigned char expected[65536];
    const size_t size = (size_t)kd_phone_int8_bytes(), scores = (size_t)kd_phone_score_bytes();
    FILE *golden = fopen("golden.bin", "rb");
    unsigned wrong = 0, done = 0;
    fseek(golden, 4, SEEK_SET);
    while (fread(kd_phone_window(), 1, size, golden) == size) {
        if (fread(expected, 1, scores, golden) != scores || kd_phone_run(0, 0) != 0) return 1;
        wrong += memcmp(kd_phone_scores(), expected, scores) != 0;
        done++;
    }
    printf("%u of %u\\n", wrong, done);
    return 0;
}
"""
STREAM_TEST = """
import XCTest
@testable import KdEdge

final class StreamTests: XCTestCase {
    func testAStreamIsAnsweredAsTheHostDoes() throws {
        let recogniser = try Recogniser()
        var found: [String] = []
        try recogniser.start()
        for line in PIECES.split(separator: "\\n") {
            let values = line.split(separator: " ").map { Int($0)! }
            try recogniser.push(stream: values[0], values.dropFirst().map { Int16($0) }) { a in
                let told = [Int(a.number), a.said ?? -1, a.leading ?? -1, Int(a.confidence * 32768)]
                found.append((told.map(String.init) + ["\\(a.onset)", "\\(a.rejected)"]
                    + a.scores.map { "\\($0)" }).joined(separator: " "))
            }
        }
        XCTAssertEqual(found.joined(separator: "\\n"), ANSWERS)
        XCTAssertEqual(recogniser.lost, 0)
        let names = Recogniser.classes.map { name in
            name.unicodeScalars.map { "\\($0.value)" }.joined(separator: " ")
        }
        XCTAssertEqual(names.joined(separator: ","), CLASSES)
    }
}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A product, its golden vectors, and the folder of its package."""
    product, golden = sample_product(tmp_path_factory.mktemp("model"))
    files = swift_files(
        product, sample_settings(labels=HOSTILE), golden, sample_facts(product), hop_s=HOP_S
    )
    folder = tmp_path_factory.mktemp("package")
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return product, golden, folder


def defines(folder: Path) -> list[str]:
    """What Package.swift tells the compiler of C."""
    lines = (folder / "Package.swift").read_text().splitlines()
    told = [line.split('"')[1::2] for line in lines if ".define(" in line]
    assert told
    return [f"-D{name}={value}" for name, value in told]


def compiled(folder: Path, *command) -> str:
    """What a compiler writes, of all C files of the package's target, without a warning."""
    target = folder / C_TARGET
    sources = sorted(path.name for path in target.glob("*.c"))
    return run_in(target, *command, *defines(folder), "-Iinclude", *sources)


@pytest.mark.parametrize("target", TARGETS)
def test_the_c_target_compiles_for_apple_without_a_warning(made, target):
    need("clang")
    compiled(made[2], "clang", f"--target={target}", *STRICT, *APPLES, "-fsyntax-only")


def test_no_product_and_sum_of_the_front_end_are_joined(made, tmp_path):
    """Oracle: the instructions; without the sources' own word clang joins some."""
    need("clang")
    target = made[2] / C_TARGET
    command = ("clang", f"--target={TARGETS[0]}", "-O2", "-S", *APPLES, *defines(made[2]))
    own = sorted(target.glob("*.c"))
    run_in(tmp_path, *command, f"-I{target / 'include'}", *own)
    assert [path.name for path in own if joined((tmp_path / f"{path.stem}.s").read_text())] == []
    text = (target / "kd_signal_arithmetic.c").read_text()
    (tmp_path / "joined.c").write_text(text.replace("FP_CONTRACT OFF", "FP_CONTRACT ON"))
    run_in(tmp_path, *command, f"-I{target / 'include'}", f"-I{target}", "joined.c")
    assert joined((tmp_path / "joined.s").read_text()) != []


def joined(assembly: str) -> list[str]:
    """Instructions of 64-bit Arm that multiply and add floats with one rounding."""
    names = [line.split()[0] for line in assembly.splitlines() if line.startswith("\t")]
    return [name for name in names if name.startswith(("fmadd", "fmsub", "fnm", "fmla", "fmls"))]


def test_clang_reads_the_module_as_swift_does(made, tmp_path):
    """Swift's importer is clang's: what this file names, Swift can call."""
    need("clang")
    (tmp_path / "user.c").write_text(
        "#pragma clang module import CKdEdge\nint32_t use(void) { return kd_phone_poll(); }\n"
    )
    include = made[2] / C_TARGET / "include"
    assert {path.name for path in include.iterdir()} == {"kd_phone.h", "module.modulemap"}
    run_in(
        tmp_path, "clang", f"--target={TARGETS[0]}", *STRICT, "-fmodules", "-fimplicit-module-maps",
        f"-fmodules-cache-path={tmp_path / 'cache'}", f"-I{include}", *APPLES, "-fsyntax-only",
        "user.c",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("compiler", "through"),
    [
        (("clang", "-O2", "-fsanitize=address,undefined"), ()),
        (("aarch64-linux-gnu-gcc", "-O2", "-static"), ("qemu-aarch64",)),
    ],
    ids=["x86-64", "aarch64"],
)
def test_the_c_target_answers_the_packages_golden_vectors(made, tmp_path, compiler, through):
    need(compiler[0], *through)
    _, golden, folder = made
    (tmp_path / "main.c").write_text(SELF_TEST)
    shutil.copy(folder / "Sources/KdEdge/golden.bin", tmp_path)
    compiled(folder, *compiler, "-std=c99", tmp_path / "main.c", "-o", tmp_path / "program")
    said = run_in(tmp_path, *through, "./program")
    assert said == f"0 of {len(golden.labels)}\n"
    wrong = bytearray((tmp_path / "golden.bin").read_bytes())
    wrong[-1] ^= 1
    (tmp_path / "golden.bin").write_bytes(wrong)
    assert run_in(tmp_path, *through, "./program") == f"1 of {len(golden.labels)}\n"


def test_swift_runs_the_packages_tests_and_a_stream(made, tmp_path):
    """Oracles: TFLite Micro, and the host's front end and rule. On any system with Swift."""
    need("swift")
    product, _, folder = made
    package = shutil.copytree(folder, tmp_path / "package")
    texts = {
        "PIECES": "\n".join(f"{s} {' '.join(map(str, counts))}" for s, counts in sample_pieces()),
        "ANSWERS": "\n".join(sample_answers(product)),
        "CLASSES": ",".join(" ".join(str(ord(c)) for c in name) for name in HOSTILE),
    }
    constants = "\n".join(f'let {name} = """\n{text}\n"""' for name, text in texts.items())
    (package / "Tests/KdEdgeTests/StreamTests.swift").write_text(STREAM_TEST + constants)
    done = subprocess.run(
        ["swift", "test", "--package-path", package, "--disable-sandbox"],
        capture_output=True, text=True, timeout=BOUND_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Executed 6 tests, with 0 failures" in done.stdout + done.stderr
    assert "warning:" not in done.stdout + done.stderr


def test_sources_of_one_processor_stand_behind_its_name():
    found = for_both(
        {"both.c": "a\n", "arm.c": "b\n", "two.h": "1\n", "named.h": "64-bit Arm (Armv8-A)\n"},
        {"both.c": "a\n", "intel.c": "c\n", "two.h": "2\n", "named.h": "x86-64\n"},
    )
    off = "#pragma STDC FP_CONTRACT OFF\n"
    assert found == {
        "both.c": f"{off}a\n",
        "arm.c": f"{off}#if defined(__aarch64__)\nb\n#endif\n",
        "intel.c": f"{off}#if defined(__x86_64__)\nc\n#endif\n",
        "two.h": "#if defined(__aarch64__)\n1\n#else\n2\n#endif\n",
        "named.h": "64-bit Arm (Armv8-A) and x86-64\n",
    }


def test_weights_stand_in_the_package_once(made):
    """Both processors take one layout of them."""
    model = (made[2] / C_TARGET / "kd_model.c").read_text()
    assert "__aarch64__" not in model


def test_the_command_writes_the_package_and_says_what_nobody_has_seen(tmp_path, capsys):
    from bundle_samples import sample_bundle

    bundle = sample_bundle(tmp_path / "bundle", hostile='"$x\\')
    command = ["phone", str(bundle), "--kind", "swift", "--out", str(tmp_path / "out")]
    assert run([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["libraries"] == []
    assert {"Package.swift", "Sources/KdEdge/golden.bin"} <= set(told["files"])
    assert run(command) == 0
    assert "never built this package with Xcode" in capsys.readouterr().out
    assert "Not verified" in (tmp_path / "out" / "README.md").read_text()
