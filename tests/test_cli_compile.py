"""`kd-edge compile`: what it writes, what it refuses and how it says so."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from aot_fuzz import image_model, lstm_model
from aot_stream_models import Conv, stack
from programs import need
from tflite_samples import GraphBuilder, write_conv_model, write_lstm_model

from kd_edge.base.errors import ExitStatus
from kd_edge.base.files import sha256_text
from kd_edge.cli import run


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "student.int8.tflite"
    path.write_bytes(lstm_model())
    return path


def contents(folder) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def refused(capsys, *arguments) -> dict:
    """What --json says of the error; nothing else is printed, and no traceback."""
    status = run(["compile", *map(str, arguments), "--json"])
    captured = capsys.readouterr()
    error = json.loads(captured.out)["error"]
    assert error["exit_status"] == status
    assert error["hint"]
    assert "Traceback" not in captured.err
    return error


def test_a_folder_holds_the_sources_how_to_build_them_and_a_manifest(model, tmp_path):
    out = tmp_path / "new" / "out"
    assert run(["compile", str(model), "--out", str(out)]) == ExitStatus.OK
    files = contents(out)
    assert {"kd_model.c", "kd_model.h", "kd_lstm_s8.c", "README.md", "Makefile"} < set(files)
    manifest = json.loads(files.pop("manifest.json"))
    assert manifest["engine"] == "aot"
    assert manifest["core"] == "host"
    assert manifest["arena_bytes"] > 0
    assert {f["path"]: f["sha256"] for f in manifest["files"]} == {
        name: sha256_text(text) for name, text in files.items()
    }
    digest = manifest["model"]["sha256"]
    assert all(digest in files[name] for name in ("kd_model.c", "kd_model.h", "README.md"))


def test_the_same_model_gives_the_same_bytes(model, tmp_path):
    for name in ("a", "b"):
        assert run(["compile", str(model), "--out", str(tmp_path / name), "--report"]) == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_files_of_an_earlier_export_that_are_no_longer_made_are_removed(model, tmp_path):
    out = tmp_path / "out"
    mine = out / "mine.c"
    assert run(["compile", str(model), "--out", str(out), "--prefix", "old", "--report"]) == 0
    mine.write_text("int mine;\n")
    assert run(["compile", str(model), "--out", str(out)]) == ExitStatus.OK
    names = set(contents(out))
    assert not {"old.c", "old.h", "report.html"} & names
    assert {"kd_model.c", "mine.c"} < names


def test_a_manifest_cannot_lead_to_files_outside_of_its_folder(model, tmp_path):
    out, outside = tmp_path / "out", tmp_path / "keep.txt"
    outside.write_text("mine")
    out.mkdir()
    listed = [{"path": "../keep.txt"}, {"path": str(outside)}]
    (out / "manifest.json").write_text(json.dumps({"engine": "aot", "files": listed}))
    assert run(["compile", str(model), "--out", str(out)]) == ExitStatus.OK
    assert outside.read_text() == "mine"


@pytest.mark.parametrize("manifest", ['{"engine": "tflm", "files": []}', "not JSON", "[]"])
def test_another_engines_export_is_not_overwritten(model, tmp_path, capsys, manifest):
    out = tmp_path / "out"
    out.mkdir()
    (out / "manifest.json").write_text(manifest)
    error = refused(capsys, model, "--out", out)
    assert error["code"] == "KD_OUTPUT"
    assert set(contents(out)) == {"manifest.json"}


@pytest.mark.parametrize("name", ["README.md", "Makefile", "kd_math.h"])
def test_files_of_the_users_are_not_overwritten(model, tmp_path, capsys, name):
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine\n")
    error = refused(capsys, model, "--out", out)
    assert (error["code"], error["where"]) == ("KD_OUTPUT", str(out / name))
    assert contents(out) == {name: "mine\n"}


def test_an_export_that_was_cut_short_is_made_whole(model, tmp_path):
    out = tmp_path / "out"
    assert run(["compile", str(model), "--out", str(out), "--report"]) == 0
    (out / "manifest.json").unlink()
    (out / "kd_model.h").write_text("")
    assert run(["compile", str(model), "--out", str(out), "--report"]) == ExitStatus.OK
    assert (out / "manifest.json").is_file()
    assert (out / "kd_model.h").stat().st_size > 0


def test_a_device_without_end_is_no_model(tmp_path, capsys):
    error = refused(capsys, "/dev/zero", "--out", tmp_path / "out")
    assert error["code"] == "KD_NO_FILE"


@pytest.mark.parametrize("options", [[], ["--carry-state"], ["--stream"], ["--prefix", "wake_1"]])
def test_the_makefile_and_the_example_of_the_readme_build(model, tmp_path, options):
    """Oracle: this machine's compiler and linker, warnings being errors."""
    need("make", "gcc")
    out = tmp_path / "out"
    assert run(["compile", str(model), "--out", str(out), *options]) == ExitStatus.OK
    example = (out / "README.md").read_text().split("```c\n")[1].split("```")[0]
    size = "WAKE_1" if "wake_1" in options else "KD_MODEL"
    main = f"const int8_t window_0[{size}_INPUT_0_SIZE] = {{0}};\nint main(void)\n"
    (out / "main.c").write_text(example + main + "{\n    return best_class() > 2;\n}\n")
    library = "wake_1" if "wake_1" in options else "kd_model"
    subprocess.run(["make", "-s", f"lib{library}.a"], cwd=out, check=True)
    flags = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    build = ["gcc", *flags, "main.c", f"lib{library}.a", "-o", "main"]
    subprocess.run(build, cwd=out, check=True)
    assert subprocess.run([out / "main"], check=False).returncode == 0


def test_a_model_with_a_hop_builds_and_answers_once_a_window_is_there(tmp_path):
    """Oracle: this machine's compiler; a window of 48 samples takes four steps of 12."""
    need("make", "gcc")
    path, out = tmp_path / "tcn.tflite", tmp_path / "out"
    path.write_bytes(stack([Conv(4, 2)]))
    assert run(["compile", str(path), "--out", str(out), "--hop", "12/48"]) == ExitStatus.OK
    example = (out / "README.md").read_text().split("```c\n")[1].split("```")[0]
    main = """const int8_t window_0[KD_MODEL_INPUT_0_SIZE] = {0};
int main(void)
{
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 6; i++) {
            if ((best_class() >= 0) != (i >= 3)) {
                return 1;
            }
        }
        kd_model_reset();
    }
    return KD_MODEL_STEPS != 4 || KD_MODEL_INPUT_0_SIZE != 12 * 3;
}
"""
    (out / "main.c").write_text(example + main)
    subprocess.run(["make", "-s", "libkd_model.a"], cwd=out, check=True)
    flags = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    build = ["gcc", *flags, "main.c", "libkd_model.a", "-o", "main"]
    subprocess.run(build, cwd=out, check=True)
    assert subprocess.run([out / "main"], check=False).returncode == 0
    assert json.loads((out / "manifest.json").read_text())["hop"] == "1/4"


@pytest.mark.parametrize("hop", ["0", "1", "5/4", "-1/4", "a quarter", "1/0", "nan"])
def test_a_hop_that_is_no_share_of_a_window_is_told(hop, model, tmp_path, capsys):
    status = run(["compile", str(model), "--out", str(tmp_path / "out"), "--hop", hop])
    assert status == ExitStatus.USAGE
    assert hop in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_folder_builds_with_cmake(model, tmp_path):
    need("cmake")
    out, build = tmp_path / "out", tmp_path / "build"
    assert run(["compile", str(model), "--out", str(out)]) == ExitStatus.OK
    subprocess.run(["cmake", "-S", out, "-B", build], check=True, capture_output=True)
    subprocess.run(["cmake", "--build", build], check=True, capture_output=True)
    assert (build / "libkd_model.a").exists()


def test_optimize_changes_compiler_options_alone(model, tmp_path):
    for name in ("size", "speed"):
        out = str(tmp_path / name)
        assert run(["compile", str(model), "--out", out, "--optimize", name]) == ExitStatus.OK
    size, speed = contents(tmp_path / "size"), contents(tmp_path / "speed")
    assert {name for name in size if size[name] != speed[name]} == {
        *("README.md", "Makefile", "CMakeLists.txt", "manifest.json"),
    }
    assert "-Os" in size["Makefile"]
    assert "-O2" in speed["Makefile"]


def test_json_is_the_report_as_a_tree(model, tmp_path, capsys):
    arguments = ["compile", str(model), "--out", str(tmp_path / "out"), "--core", "m4", "--json"]
    assert run(arguments) == ExitStatus.OK
    report = json.loads(capsys.readouterr().out)
    assert report["core"] == "m4"
    assert report["memory"]["arena_bytes"] >= report["memory"]["bound_bytes"]
    assert report["layers"][0]["place"] == "operator 0 (CONV_2D)"


def test_an_operator_that_the_engine_lacks_is_named_with_its_place(tmp_path, capsys):
    graph = GraphBuilder()
    x, y = (graph.tensor(name, (1, 4), scale=0.1) for name in "xy")
    graph.operator("RSQRT", (x,), (y,))
    path = graph.write(tmp_path / "odd.tflite", (x,), (y,))
    error = refused(capsys, path, "--out", tmp_path / "out")
    assert error["code"] == "KD_UNSUPPORTED_OP"
    assert "RSQRT" in error["message"]
    assert error["where"] == "operator 0 (RSQRT)"
    assert "docs/plain-c.md" in error["hint"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("write", [write_lstm_model, None])
def test_float_models_are_refused_with_what_to_do(tmp_path, capsys, write):
    path = tmp_path / "float.tflite"
    if write:
        write(path)
    else:
        write_conv_model(path, quantised=False)
    error = refused(capsys, path, "--out", tmp_path / "out")
    assert error["code"] == "KD_UNSUPPORTED_OP"
    assert "float32" in error["message"]
    assert "int8" in error["hint"]


def test_a_missing_file_and_a_folder_are_no_models(tmp_path, capsys):
    missing = refused(capsys, tmp_path / "none.tflite", "--out", tmp_path / "out")
    assert missing["code"] == "KD_NO_FILE"
    folder = refused(capsys, tmp_path, "--out", tmp_path / "out")
    assert folder["code"] == "KD_NO_FILE"
    assert "student.int8.tflite" in folder["hint"]


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x10\0\0\0TFL3" + bytes(100), b"PK" * 50])
def test_a_corrupt_file_is_named(tmp_path, capsys, content):
    path = tmp_path / "broken.tflite"
    path.write_bytes(content)
    error = refused(capsys, path, "--out", tmp_path / "out")
    assert error["code"] == "KD_BAD_TFLITE"
    assert "broken.tflite" in error["where"]


def test_a_file_in_the_folders_place_is_left_alone(model, tmp_path, capsys):
    taken = tmp_path / "out"
    taken.write_text("mine")
    assert refused(capsys, model, "--out", taken)["code"] == "KD_OUTPUT"
    assert taken.read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(model, tmp_path, capsys):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    assert refused(capsys, model, "--out", locked / "out")["code"] == "KD_OUTPUT"


def test_a_folder_on_a_read_only_file_system_is_named(model, capsys):
    assert refused(capsys, model, "--out", "/proc/kd-edge")["code"] == "KD_OUTPUT"


@pytest.mark.parametrize(
    "prefix", ["", "9lives", "a-b", "../up", "Kd", "kd_lstm_s8", "string", "_x"]
)
def test_a_prefix_that_c_or_the_kernels_take_otherwise_is_bad_usage(
    model, tmp_path, capsys, prefix
):
    error = refused(capsys, model, "--out", tmp_path / "out", "--prefix", prefix)
    assert error["exit_status"] == ExitStatus.USAGE
    assert not (tmp_path / "out").exists()


def test_an_unknown_core_is_told_with_the_known_ones(model, tmp_path, capsys):
    status = run(["compile", str(model), "--out", str(tmp_path / "out"), "--core", "z80"])
    assert status == ExitStatus.USAGE
    assert "m55" in capsys.readouterr().err


def test_a_model_without_steps_cannot_be_streamed(tmp_path, capsys):
    path = tmp_path / "image.tflite"
    path.write_bytes(image_model())
    error = refused(capsys, path, "--out", tmp_path / "out", "--stream")
    assert "step by step" in error["message"]
