"""A wearer's last layer on an emulated board: TFLite Micro's answers bit for bit."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from decision_samples import decide_all
from head_samples import another, body_and_head
from kept_in_files import head_and_normaliser, kept_in_files
from link_harness import PATIENT
from live_samples import HOP_S
from live_samples import front_end as two_inputs
from live_samples import replay as two_inputs_replay
from programs import need

from firmware_export.aot.head import head_block
from firmware_export.boards import find_board
from firmware_export.boards.emulator import start
from firmware_export.firmware import RUNTIME, build_firmware, firmware_sources
from firmware_export.sensors import StreamSettings
from firmware_export.settings import FirmwareSettings, Golden
from kd_edge.base.decision import DecisionRule
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.base.front_end import FrontEndConstants, InputLayout
from kd_edge.base.product import as_product
from kd_edge.link.device import Device
from kd_edge.link.messages import HeadState
from kd_edge.live.facts import facts_of
from kd_edge.live.host import Host
from kd_edge.live.loop import Limits, LiveLoop
from kd_edge.pipeline.boards.costs import profiled_costs
from kd_edge.runtimes.registry import open_interpreter

pytestmark = pytest.mark.qemu
README = RUNTIME.parent / "README.md"
SHAPE, FEATURES, CLASSES = (40, 6), 300, 5
FIXED = 76  # bytes of a HEAD_BLOCK before its numbers, by docs/protocol.md


def front_end() -> FrontEndConstants:
    """sEMG alone."""
    emg, _ = two_inputs().streams
    return FrontEndConstants((emg,), (InputLayout("window", ("emg",), SHAPE),))


def replay():
    return [{"emg": window["emg"]} for window in two_inputs_replay()]


def rule_for(model: Path) -> DecisionRule:
    """One that rejects every window whose scores lie far from the built layer's prototypes."""
    output = open_interpreter("tflm", model).outputs[0]
    return DecisionRule(
        classes=CLASSES, scale=output.scale, temperature=1.0, windows=2,
        prototypes=tuple((127,) * CLASSES for _ in range(CLASSES)), most_distance=9,
    )  # fmt: skip


@dataclass(frozen=True)
class Models:
    """One body: as built, and with the last layers of two wearers."""

    built: Path
    ann: Path
    bob: Path

    def block(self, name: str) -> bytes:
        return head_block(self.built, getattr(self, name))


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Models:
    folder = tmp_path_factory.mktemp("models")
    built = body_and_head(shape=SHAPE, features=FEATURES)
    contents = {"built": built, "ann": another(built, seed=1), "bob": another(built, seed=2)}
    for name, content in contents.items():
        (folder / f"{name}.tflite").write_bytes(content)
    return Models(**{name: folder / f"{name}.tflite" for name in contents})


def windows(n: int, *, seed: int) -> list[tuple[np.ndarray, ...]]:
    made = np.random.default_rng(seed).integers(-128, 128, (n, 1, *SHAPE)).astype(np.int8)
    return [(window,) for window in made]


def scores_of(model: Path, made) -> np.ndarray:
    session = open_interpreter("tflm", model)
    return np.array([session.run(window)[0][0] for window in made])


def settings_for(model: Path, **changes) -> FirmwareSettings:
    plain = FirmwareSettings(
        name="own", labels=(), arena_bytes=0, arena_how="", front_end=None, golden=None,
        synthetic=True, generator="kd-edge test", personal=True,
    )  # fmt: skip
    return replace(plain, **changes)


@pytest.fixture(scope="module")
def url(models, tmp_path_factory):
    """An image with all that a last layer touches: front end, stream, rule, golden vectors."""
    need("arm-none-eabi-gcc", "qemu-system-arm")
    made = windows(3, seed=9)
    golden = Golden(
        (np.concatenate([w[0] for w in made]),), scores_of(models.built, made), (0, 1, 2)
    )
    settings = settings_for(
        models.built, front_end=front_end(), golden=golden, decision=rule_for(models.built)
    )
    board = find_board("qemu-an386")
    firmware = firmware_sources(
        models.built, board, settings, stream=StreamSettings(hop_s=HOP_S), replay=replay()
    )
    elf = build_firmware(firmware, board, tmp_path_factory.mktemp("image")).elf
    with start(board, elf, count_instructions=True, skip_idle=True) as emulator:
        yield emulator.url
        assert not emulator.errors


@pytest.fixture
def device(url):
    with Device.open(url, patience=PATIENT) as opened:
        opened.head.reset()
        yield opened


def answers_as(device: Device, model: Path) -> None:
    """Oracle: TFLite Micro, bit for bit; HELLO names the same model."""
    made = windows(6, seed=4)
    found = [answer.scores for answer in device.run_many(made)]
    np.testing.assert_array_equal(found, scores_of(model, made))
    assert device.hello.model_sha256 == read_tflite(model).sha256


def test_scores_are_the_built_layers_then_each_wearers_then_the_built_ones_again(device, models):
    answers_as(device, models.built)
    for name in ("ann", "bob"):
        state = device.head.set(models.block(name))
        assert (state.own, state.placed) == (True, 0)
        answers_as(device, getattr(models, name))
        assert device.head.tell().block == models.block(name)
    assert not device.head.reset().own
    answers_as(device, models.built)
    assert device.head.tell().block == b""


def test_a_new_session_is_told_which_model_answers(device, url, models):
    device.head.set(models.block("ann"))
    sha256 = read_tflite(models.ann).sha256
    device.close()
    with Device.open(url, model_sha256=sha256, patience=PATIENT) as again:
        answers_as(again, models.ann)
        state = again.head.tell()
        assert (state.built_sha256, state.model_sha256) == (
            read_tflite(models.built).sha256,
            sha256,
        )
    with pytest.raises(KdEdgeError) as caught:
        Device.open(url, model_sha256=read_tflite(models.built).sha256, patience=PATIENT)
    assert caught.value.code == "KD_BOARD_MODEL"


@pytest.mark.parametrize("name", ["built", "ann"])
def test_a_stream_answers_by_the_layer_that_was_set_and_the_host_agrees(device, models, name):
    """Oracle: the host, with the wearer's model and their rule, which has no prototypes."""
    rule = rule_for(models.built)
    if name != "built":
        device.head.set(models.block(name))
        rule = replace(rule, prototypes=(), most_distance=0)
    host = Host(getattr(models, name), front_end(), rule=rule)
    facts = facts_of(device.hello, "qemu", front_end=host.front_end, host=host.name)
    summary = LiveLoop(device, facts, host=host).run(Limits(windows=5))
    assert summary.error is None
    assert (summary.figures.windows, summary.figures.compared) == (5, 5)
    assert summary.figures.same_scores == 5
    assert summary.figures.same_decision == 5


def test_the_rule_rejects_by_prototypes_only_where_they_are_the_layers_own(device, models):
    """Oracle: kd_edge.base.decision. Every window is far from these prototypes."""
    made, rule = windows(6, seed=4), rule_for(models.built)
    expected = decide_all(rule, scores_of(models.built, made))
    found = device.run_many(made, begins=(0).__eq__)
    assert [answer.decision for answer in found] == expected
    assert all(decision.rejected for decision in expected)
    device.head.set(models.block("ann"))
    without = replace(rule, prototypes=(), most_distance=0)
    expected = decide_all(without, scores_of(models.ann, made))
    assert [answer.decision for answer in device.run_many(made, begins=(0).__eq__)] == expected
    assert not any(decision.rejected for decision in expected)


def test_golden_vectors_are_the_built_layers_whoever_wears_the_board(device, models):
    device.head.set(models.block("ann"))
    assert not device.selftest().failures
    answers_as(device, models.ann)


def test_the_parts_of_a_layer_change_nothing_until_the_last_is_there(device, models):
    device.head.set(models.block("ann"))
    block = models.block("bob")
    assert len(block) > device.hello.max_payload
    assert device._request("HEAD", action=4, offset=0, data=block[:1000]).placed == 1000
    answers_as(device, models.ann)
    refused = device._request("HEAD", action=4, offset=1100, data=block[1100:])
    assert (refused.status, refused.detail) == ("ORDER", 1000)
    answers_as(device, models.ann)
    # A part that came before may come again, and so may the last one after it was taken.
    for offset, end in ((0, 900), (700, 1400), (1400, len(block)), (1400, len(block))):
        device._ask("HEAD", action=4, offset=offset, data=block[offset:end])
    device.head.tell()
    answers_as(device, models.bob)


def sealed(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(4, "little") + content


def spoilt(block: bytes) -> dict[str, tuple[bytes, str, str]]:
    """What is wrong -> block, error's code and words."""
    content = bytearray(block[4:])

    def changed(at: int, values: bytes) -> bytes:
        return sealed(bytes(content[:at] + values + content[at + len(values) :]))

    numbers = FIXED - 4
    largest = (2**31 - 1).to_bytes(4, "little")
    return {
        "a flipped bit": (block[:-1] + bytes([block[-1] ^ 1]), "KD_BOARD_REFUSED", "damaged"),
        "another model": (changed(5, b"\xff"), "KD_BOARD_MODEL", "another model"),
        "other classes": (changed(64, b"\x04\x00"), "KD_BOARD_MODEL", "other scores"),
        "other inputs": (changed(66, b"\x00\x01"), "KD_BOARD_MODEL", "other scores"),
        "one scale": (changed(68, b"\x01\x00\x00\x00"), "KD_BOARD_MODEL", "other scores"),
        "a shift": (changed(numbers + 4, b"\x1f\0\0\0"), "KD_BOARD_REFUSED", "32 bits"),
        "a negative multiplier": (changed(numbers, b"\xff" * 4), "KD_BOARD_REFUSED", "32 bits"),
        "a bias": (changed(numbers + 8 * CLASSES, largest), "KD_BOARD_REFUSED", "32 bits"),
        "too long": (block + b"\0", "KD_BOARD_REFUSED", "SIZE"),
    }


def test_a_damaged_or_foreign_layer_is_refused_and_the_one_before_goes_on(device, models):
    device.head.set(models.block("bob"))
    for what, (block, code, words) in spoilt(models.block("ann")).items():
        with pytest.raises(KdEdgeError, match=words) as caught:
            device.head.set(block)
        assert caught.value.code == code, what
        assert device.head.tell().block == models.block("bob"), what
    answers_as(device, models.bob)
    device.head.set(models.block("ann"))
    answers_as(device, models.ann)


@pytest.mark.parametrize(
    ("values", "status", "detail"),
    [
        ({"action": 2}, "RANGE", 6),
        ({"action": 6}, "RANGE", 6),
        ({"action": 0, "offset": 1}, "RANGE", 0),
        ({"action": 1, "data": b"x"}, "SIZE", 0),
        ({"action": 4}, "SIZE", FIXED + 8 * CLASSES + 4 * CLASSES + CLASSES * FEATURES),
    ],
)
def test_what_cannot_be_asked_is_refused_by_its_code(device, values, status, detail):
    refused = device._request("HEAD", **{"offset": 0, "data": b""} | values)
    assert (refused.status, refused.detail) == (status, detail)


def test_firmware_whose_stub_keeps_nothing_says_so(device, models):
    device.head.set(models.block("ann"))
    with pytest.raises(KdEdgeError, match="cannot keep it") as caught:
        device.head.keep()
    assert caught.value.code == "KD_BOARD_REFUSED"
    assert not device.head.tell().kept
    answers_as(device, models.ann)


def test_a_users_hook_keeps_a_layer_over_a_start(models, tmp_path):
    """A process in place of a board, and a file in place of its flash."""
    need("cc")
    board, (kept, _) = find_board("host"), head_and_normaliser(tmp_path)
    firmware = firmware_sources(models.built, board, settings_for(models.built))
    firmware = kept_in_files(firmware, tmp_path)
    elf = build_firmware(firmware, board, tmp_path / "image").elf

    def started(do) -> HeadState:
        with start(board, elf) as emulator, Device.open(emulator.url, patience=PATIENT) as device:
            return do(device)

    def set_and_keep(device):
        device.head.set(models.block("ann"))
        assert not device.head.tell().kept
        return device.head.keep()

    def answers_by(name):
        def check(device):
            answers_as(device, getattr(models, name))
            return device.head.tell()

        return check

    def reset_and_keep(device):
        assert not device.head.reset().kept
        return device.head.keep()

    assert started(answers_by("built")).kept
    assert started(set_and_keep).kept
    assert kept.read_bytes() == models.block("ann")
    assert started(answers_by("ann")).kept
    assert not started(lambda device: device.head.set(models.block("bob"))).kept
    assert started(answers_by("ann")).kept
    whole = kept.read_bytes()
    for broken in (whole[:-1], whole[:-1] + b"\0", b""):
        kept.write_bytes(broken)
        assert started(answers_by("built")).kept
    kept.write_bytes(whole)
    assert started(reset_and_keep).kept
    assert kept.read_bytes() == b""
    assert started(answers_by("built")).kept


def test_firmware_without_it_has_none_of_it_and_with_it_costs_what_the_readme_says(tmp_path):
    """Oracle: the linker's sizes, and QEMU's count."""
    need("arm-none-eabi-gcc", "qemu-system-arm")
    board, path = find_board("qemu-an386"), tmp_path / "model.tflite"
    path.write_bytes(body_and_head(shape=SHAPE, features=64, classes=18))
    images, instructions = [], []
    for personal in (False, True):
        firmware = firmware_sources(path, board, settings_for(path, personal=personal))
        assert any(name.startswith(("kd_head", "kd_keep")) for name in firmware.files) == personal
        assert ("KD_LINK_HEAD" in firmware.defines) == personal
        assert ("set_head" in firmware.files["kd_model.c"]) == personal
        images.append(build_firmware(firmware, board, tmp_path / f"image{personal}"))
        with (
            start(board, images[-1].elf, count_instructions=True) as emulator,
            Device.open(emulator.url, patience=PATIENT) as device,
        ):
            layers = device.profile()
            instructions.append(layers[-1].ticks)
            costs = profiled_costs(as_product(path), device.hello, layers)
            assert [cost.instructions for cost in costs] == [layer.ticks for layer in layers]
            if not personal:
                with pytest.raises(KdEdgeError, match="no last layer that can be") as caught:
                    device.head.tell()
                assert caught.value.code == "KD_BOARD_REFUSED"
    flash, ram = (getattr(images[1], n) - getattr(images[0], n)
                  for n in ("flash_bytes", "ram_bytes"))  # fmt: skip
    text = README.read_text()
    row = next(r for r in text.splitlines() if r.startswith("| Cortex-M4F, `-O2` |"))
    stated = [int(n.replace(",", "")) for n in re.findall(r" (\d[\d,]*\d)", row)]
    assert stated == pytest.approx([flash, ram, *instructions], rel=0.1)


def test_other_engines_are_refused_with_a_reason(models):
    with pytest.raises(KdEdgeError, match="model's own bytes") as caught:
        firmware_sources(
            models.built, find_board("host"), settings_for(models.built), engine="tflm"
        )
    assert caught.value.code == "KD_USAGE"
