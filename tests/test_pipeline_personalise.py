"""From a bundle to one wearer's: a real model, real recordings, real interpreters."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from bundle_samples import write_as_built
from programs import need
from wearer_samples import NEW, following, shortened, without_gyroscope, write_few

from firmware_export.boards import find_board
from firmware_export.boards.emulator import start
from firmware_export.sensors import StreamSettings
from kd_edge import cli, load
from kd_edge.base.composition import Composition
from kd_edge.base.decision import DecisionRule
from kd_edge.base.errors import KINDS
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.base.head import find_head, without_head
from kd_edge.base.running import RunningState
from kd_edge.pipeline.boards.bundle_image import bundle_image, load_board_bundle
from kd_edge.pipeline.bundle import load_manifest
from kd_edge.pipeline.kept_windows import load_windows
from kd_edge.pipeline.personal_bundle import decision_of
from kd_edge.pipeline.prototypes import load_prototypes
from kd_edge.pipeline.wearer import kept_state
from kd_edge.report.json import from_json
from kd_edge.runtimes.interpreter import run_windows
from kd_edge.runtimes.registry import open_interpreter
from kd_edge.signals import read
from kd_edge.signals.simulate import SignSettings, simulate

ALL = tuple(f"sign 0{i}" for i in range(1, 5))
SWAPPED = {"sign 01": "sign 02", "sign 02": "sign 01"}


@pytest.fixture(scope="module")
def everybody():
    return simulate(SignSettings(n_signs=4, n_subjects=5, n_repetitions=7, n_sensors=1))


@pytest.fixture
def few(tmp_path, everybody):
    return partial(write_few, tmp_path / "few", everybody)


@pytest.fixture(scope="module")
def own(bundle, everybody, tmp_path_factory):
    """The bundle of a signer whose first two signs are the other way round, and the recordings."""
    folder = tmp_path_factory.mktemp("own")
    data = write_few(folder / "few", everybody, labels=SWAPPED)
    before, out = following(bundle, folder), folder / "own"
    assert personalise(before, data, out, "--repetitions", "5") == 0
    return out, data


def personalise(bundle: Path, data: Path, out: Path, *more: str) -> int:
    arguments = ["--data", str(data), "--out", str(out), "--reader", "folder", *more]
    return cli.run(["personalise", str(bundle), *arguments, "--json"])


def report_of(folder: Path):
    return from_json((folder / "report.json").read_text())


def accuracy(report, model: str, part: str, runtime: str = "tflm") -> float:
    row = next(r for r in report.rows if (r.model, r.format, r.runtime) == (model, "int8", runtime))
    return row.accuracy[part].accuracy


def test_who_signs_otherwise_gets_a_layer_of_their_own(own):
    """Only their own layer can know. Oracle: NumPy, for which windows are right."""
    out, _ = own
    report = report_of(out)
    told = report.personal
    assert told.taken
    assert told.repetitions == {"sign 01": 5, "sign 02": 5, "sign 03": 5}
    assert told.held_out == 15
    assert told.held_out_personal > told.held_out_built
    assert told.chance < 0.05
    later = report.parts[0].name
    assert [part.leaky for part in report.parts] == [False, True]
    assert accuracy(report, "student", later) > accuracy(report, "student-as-built", later) + 0.2
    assert [p.max_steps for p in report.parity if p.kind == "engines"] == [0]
    windows = load_windows(out / "bench.npz", load_manifest(out)).parts[later]
    decided = run_windows(open_interpreter("tflm", out / "student.int8.tflite"), windows).logits
    share = (decided.argmax(axis=1) == windows.truth).mean()
    assert accuracy(report, "student", later) == pytest.approx(share)


@pytest.mark.qemu
def test_an_emulated_board_answers_as_the_host_does_with_the_new_layer(own, capsys):
    """Oracle: TFLite Micro, bit for bit, on windows behind the link and in a stream."""
    out, _ = own
    capsys.readouterr()
    assert cli.run(["eval", str(out), "--board", "qemu-an386", "--json"]) == 0
    (board,) = json.loads(capsys.readouterr().out)["boards"]
    same = next(each for each in board["agreement"] if each["runtime"] == "tflm")
    assert same["same_scores"] == same["n_windows"] == board["n_asked"] == 21
    assert board["model_sha256"] == read_tflite(out / "student.int8.tflite").sha256
    live = ["live", str(out), "--board", "qemu-an386", "--windows", "3", "--json"]
    assert cli.run(live) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])["figures"]
    assert figures["same_scores"] == figures["compared"] == figures["windows"] == 3


@pytest.fixture(scope="module")
def worn(own, tmp_path_factory):
    """The port of an emulated board with the bundle before, whose last layer can be replaced."""
    need("arm-none-eabi-gcc", "qemu-system-arm")
    before, board = load_board_bundle(own[0].parent / "following"), find_board("qemu-an386")
    image = bundle_image(
        before, board, tmp_path_factory.mktemp("image"), personal=True,
        stream=StreamSettings(hop_s=0.5), replay=before.raw,
    )  # fmt: skip
    with start(board, image.elf, count_instructions=True, skip_idle=True) as emulator:
        yield emulator.url
        assert not emulator.errors


def of_board(capsys, *arguments: str, status: int = 0):
    assert cli.run([*arguments, "--json"]) == status
    return json.loads(capsys.readouterr().out.splitlines()[-1] if arguments[0] == "live" else
                      capsys.readouterr().out)  # fmt: skip


@pytest.mark.qemu
def test_the_layer_goes_to_a_board_that_runs_the_built_model(own, worn, capsys):
    """Oracle: TFLite Micro, bit for bit: int8 and raw windows, and a stream."""
    out, _ = own
    before = out.parent / "following"
    capsys.readouterr()
    told = of_board(capsys, "board", "head", "set", "--bundle", str(out), "--port", worn)
    own_sha256, built_sha256 = (
        read_tflite(folder / "student.int8.tflite").sha256 for folder in (out, before)
    )
    assert (told["last_layer"], told["kept"]) == ("wearer", False)
    assert (told["model_sha256"], told["built_sha256"]) == (own_sha256, built_sha256)
    (board,) = of_board(capsys, "eval", str(out), "--port", worn)["boards"]
    same = next(each for each in board["agreement"] if each["runtime"] == "tflm")
    assert same["same_scores"] == same["n_windows"] == board["n_asked"] == 21
    figures = of_board(capsys, "live", str(out), "--port", worn, "--windows", "3")["figures"]
    assert figures["same_scores"] == figures["compared"] == figures["windows"] == 3
    assert cli.run(["eval", str(before), "--port", worn]) == KINDS["KD_BOARD_MODEL"].status
    assert "kd-edge board head" in "".join(capsys.readouterr())
    assert of_board(capsys, "board", "head", "reset", "--port", worn)["last_layer"] == "built"
    (board,) = of_board(capsys, "eval", str(before), "--port", worn)["boards"]
    assert board["model_sha256"] == built_sha256


@pytest.mark.qemu
def test_personalise_sends_it_and_other_bundles_have_none_to_send(own, worn, tmp_path, capsys):
    out, data = own
    before, twice = out.parent / "following", tmp_path / "twice"
    assert personalise(before, data, twice, "--repetitions", "5", "--port", worn) == 0
    name = "student.int8.tflite"
    assert (twice / name).read_bytes() == (out / name).read_bytes()
    capsys.readouterr()
    told = of_board(capsys, "board", "head", "--port", worn)
    assert told["model_sha256"] == read_tflite(twice / name).sha256
    head = ["board", "head", "--port", worn]
    for arguments, code, words in (
        ([*head, "set", "--bundle", str(before)], "KD_USAGE", "no wearer's last layer"),
        ([*head, "set"], "KD_USAGE", "--bundle goes with set"),
        ([*head, "--keep"], "KD_USAGE", "--keep goes with set and reset"),
        ([*head, "keep"], "KD_BOARD_REFUSED", "kd_keep.c"),
    ):
        assert cli.run(arguments) == KINDS[code].status
        assert words in " ".join("".join(capsys.readouterr()).split())


def test_the_body_stays_and_every_form_has_the_new_layer(bundle, own, tmp_path):
    """Oracle: TFLite Micro on both bodies, bit for bit."""
    out, _ = own
    before, after = ((f / "student.int8.tflite").read_bytes() for f in (bundle, out))
    assert (out / "student-as-built.int8.tflite").read_bytes() == before
    old, new = (find_head(read_tflite(content)) for content in (before, after))
    assert (new.input_scale, new.output_scale) == (old.input_scale, old.output_scale)
    assert (new.weights != old.weights).any()
    stored = load_windows(out / "bench.npz").parts["parity windows"]
    embedding = []
    for name, content in (("before", before), ("after", after)):
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(without_head(content))
        embedding.append(run_windows(open_interpreter("tflm", path), stored).raw)
    np.testing.assert_array_equal(*embedding)
    weights = find_head(read_tflite(out / "student.float32.tflite")).weights
    step = new.scales.reshape(-1, 1)
    factor = (weights * new.weights * step).sum() / np.square(new.weights * step).sum()
    assert np.abs(weights / factor - new.weights * step).max() <= step.max()
    assert not list(out.glob("*.keras"))


def test_golden_vectors_are_made_anew(own):
    """Oracle: TFLite Micro."""
    out, _ = own
    session = open_interpreter("tflm", out / "student.int8.tflite")
    with np.load(out / "golden.npz") as golden:
        inputs = [golden[f"int8_inputs/{spec.name}"] for spec in session.inputs]
        for index, expected in enumerate(golden["int8_outputs"]):
            (found,) = session.run([array[index : index + 1] for array in inputs])
            np.testing.assert_array_equal(found[0], expected)


def test_the_normaliser_goes_on_from_the_given_repetitions(own):
    """Oracle: the loaded bundle, which sees the given repetition of the second day alone."""
    out, data = own
    product = load(out)
    sha256 = read_tflite(out / "student.int8.tflite").sha256
    kept = kept_state(out / "wearer.json", sha256)
    classes = product.manifest.class_names  # the recipe leaves another label out
    given = [
        r
        for r in read(data, "folder")
        if (r.session, r.trial) == ("day 2", 1) and r.label in classes
    ]
    for recording in sorted(given, key=lambda r: r.info().moment):
        product.predict(recording)
    for name in RunningState.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(kept, name), getattr(product.wearer.state, name))


def test_who_signs_as_training_did_keeps_the_built_layer(bundle, few, tmp_path, capsys):
    out = tmp_path / "own"
    assert personalise(bundle, few(2), out) == 0
    told = json.loads(capsys.readouterr().out)["personal"]
    assert not told["taken"]
    assert "is not better beyond chance" in told["why"]
    for form in ("int8", "float32"):
        name = f"student.{form}.tflite"
        assert (out / name).read_bytes() == (bundle / name).read_bytes()
    assert any("keeps the built last layer" in caveat for caveat in report_of(out).caveats)
    assert cli.run(["bench", str(out), "--runs", "20"]) == 0
    assert not (out / "wearer.json").exists()  # its front end follows nobody


def test_one_repetition_of_some_signs_and_a_bundle_that_is_a_wearers(bundle, few, tmp_path, capsys):
    """Nothing can be held out: it is said. A sign without a repetition keeps its prototype."""
    data, once, twice = (
        few(labels=SWAPPED, leave_out=("sign 03", "sign 04")),
        tmp_path / "1",
        tmp_path / "2",
    )
    rows = (data / "labels.csv").read_text().splitlines()
    keep = [row for row in rows if "day 2" not in row and not row.endswith(tuple("234567"))]
    (data / "labels.csv").write_text("\n".join(keep) + "\n")
    assert personalise(bundle, data, once) == 0
    told = json.loads(capsys.readouterr().out)["personal"]
    assert told["repetitions"] == {"sign 01": 1, "sign 02": 1, "sign 03": 0}
    assert (told["held_out"], told["chance"]) == (0, None)
    assert told["taken"]
    assert "was not tried" in told["why"]
    assert any("sign 03" in caveat for caveat in report_of(once).caveats)
    assert personalise(once, data, twice) == 0
    first, second = (find_head(read_tflite(f / "student.int8.tflite")) for f in (once, twice))
    assert np.abs(first.weights.astype(int) - second.weights).max() <= 1
    name = "student-as-built.int8.tflite"  # in the beginning, and not the first wearer's
    assert (twice / name).read_bytes() == (bundle / "student.int8.tflite").read_bytes()
    assert len(load_manifest(twice).models) == 2


@pytest.mark.parametrize(
    ("more", "arguments", "code", "words"),
    [
        ({"labels": {"sign 01": "sing 01"}}, (), "KD_LABELS", "did you mean 'sign 01'"),
        ({"subjects": ("S1", NEW)}, (), "KD_USAGE", "of 2 people"),
        ({}, ("--subject", "S55"), "KD_UNKNOWN_NAME", "S55"),
        ({"leave_out": ALL}, (), "KD_LABELS", "names no recording"),
        # The recipe says that it is no class: nothing is left.
        ({"leave_out": ALL[:3]}, (), "KD_LABELS", "'sign 04' is unknown"),
        ({}, ("--reader", "foldr"), "KD_UNKNOWN_NAME", "folder"),
    ],
)
def test_recordings_that_nothing_can_be_learned_from_are_refused(
    bundle, few, tmp_path, capsys, more, arguments, code, words
):
    out = tmp_path / "own"
    assert personalise(bundle, few(1, **more), out, *arguments) == KINDS[code].status
    error = "".join(capsys.readouterr())
    assert code in error
    assert words in error
    assert not out.exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [(shortened, "KD_WINDOW_TOO_LONG"), (without_gyroscope, "KD_CHANNEL_MISSING")],
)
def test_recordings_unlike_those_of_the_bundle_are_refused(
    bundle, few, tmp_path, capsys, change, code
):
    out = tmp_path / "own"
    assert personalise(bundle, few(1, change=change), out) == KINDS[code].status
    assert code in "".join(capsys.readouterr())
    assert not out.exists()


def test_a_copy_is_no_other_repetition(bundle, few, tmp_path, capsys):
    data = few(1)
    rows = (data / "labels.csv").read_text().splitlines()
    file, label, subject, session, _ = rows[1].split(",")
    shutil.copyfile(data / file, data / "again.csv")
    rows.append(f"again.csv,{label},{subject},{session},9")
    (data / "labels.csv").write_text("\n".join(rows) + "\n")
    assert personalise(bundle, data, tmp_path / "own") == KINDS["KD_DUPLICATES"].status
    assert "a copy is no other repetition" in "".join(capsys.readouterr())


def test_bundles_that_have_no_prototypes_or_damaged_ones_are_refused(bundle, tmp_path, capsys):
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    whole = dict(np.load(copy / "prototypes.npz"))
    skewed = whole["within"].copy()
    skewed[0, 1] += 100 * np.abs(skewed).max()
    for changes, code in (
        ({"version": np.array(2)}, "KD_BUNDLE_VERSION"),
        ({"version": np.array("x")}, "KD_BUNDLE_ALTERED"),
        ({"means": whole["means"][:, :-1]}, "KD_BUNDLE_ALTERED"),
        ({"means": whole["means"] * np.float32(np.nan)}, "KD_BUNDLE_ALTERED"),
        ({"within": skewed}, "KD_BUNDLE_ALTERED"),
        ({"within": -whole["within"]}, "KD_BUNDLE_ALTERED"),
        ({"windows": whole["windows"] * 0}, "KD_BUNDLE_ALTERED"),
    ):
        np.savez(tmp_path / "other.npz", **whole | changes)
        write_as_built(copy, "prototypes.npz", (tmp_path / "other.npz").read_bytes())
        assert personalise(copy, tmp_path, tmp_path / "own") == KINDS[code].status, changes
        assert code in "".join(capsys.readouterr())
    write_as_built(copy, "prototypes.npz", b"PK no archive")
    assert personalise(copy, tmp_path, tmp_path / "own") == KINDS["KD_BUNDLE_ALTERED"].status
    manifest = json.loads((copy / "bundle.json").read_text())
    del manifest["files"]["prototypes.npz"]
    (copy / "bundle.json").write_text(json.dumps(manifest))
    capsys.readouterr()
    assert personalise(copy, tmp_path, tmp_path / "own") == KINDS["KD_NO_FILE"].status
    assert "build it again" in "".join(capsys.readouterr())


def test_the_bundle_is_not_written_over_and_other_files_are_left_alone(
    bundle, few, tmp_path, capsys
):
    data, mine = few(1), tmp_path / "mine"
    mine.mkdir()
    (mine / "diary.txt").write_text("private")
    before = load_manifest(bundle)
    for out, code in ((bundle, "KD_USAGE"), (mine, "KD_OUTPUT")):
        assert personalise(bundle, data, out) == KINDS[code].status
        assert code in "".join(capsys.readouterr())
    assert load_manifest(bundle) == before
    assert [path.name for path in mine.iterdir()] == ["diary.txt"]


def test_prototypes_are_those_of_the_training_windows(bundle):
    """Oracle: the float student in Keras; int8 rounds each value a little."""
    manifest = load_manifest(bundle)
    kept = load_prototypes(bundle, manifest)
    head = find_head(read_tflite(bundle / "student.int8.tflite"))
    assert kept.means.shape == head.weights.shape
    assert kept.windows.sum() > 20
    scores = kept.means @ (head.weights * head.scales.reshape(-1, 1)).T.astype(np.float64)
    scores += head.bias * head.input_scale * head.scales
    assert (scores.argmax(axis=1) == np.arange(3)).all()  # each mean is of its own class


def test_distances_to_the_built_layers_prototypes_reject_nothing_any_more(own):
    """Oracle: the rule itself, of which the rest stays."""
    rule = DecisionRule(3, 0.1, windows=2, prototypes=((1, 2, 3),) * 3, most_distance=9)
    manifest = replace(load_manifest(own[0]), decision=rule)
    assert decision_of(manifest, taken=False) == (rule, ())
    changed, said = decision_of(manifest, taken=True)
    assert changed == DecisionRule(3, 0.1, windows=2)
    assert "distance" in said[0]
    assert decision_of(replace(manifest, decision=None), taken=True) == (None, ())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"composition": Composition("average", ("student", "other"))},
            "answers by several models",
        ),
        ({"front_end": None}, "takes images"),
    ],
)
def test_bundles_without_one_model_of_sensors_are_refused(
    bundle, tmp_path, monkeypatch, capsys, changes, words
):
    manifest = replace(load_manifest(bundle), **changes)
    monkeypatch.setattr("kd_edge.pipeline.personalise.load_manifest", lambda folder: manifest)
    assert personalise(bundle, tmp_path, tmp_path / "own") == KINDS["KD_USAGE"].status
    assert words in "".join(capsys.readouterr())
