"""A wearer's last layer on a board that runs the model it was made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_export.aot.head import head_block
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.base.formats import SHIPPED
from kd_edge.link.device import Device
from kd_edge.link.messages import HeadState
from kd_edge.pipeline.boards.bundle_image import BoardBundle, load_board_bundle
from kd_edge.pipeline.bundle import bundled_file
from kd_edge.pipeline.personal_bundle import AS_BUILT


@dataclass(frozen=True, eq=False)
class WearersHead:
    """What a wearer's bundle gives a board.

    Attributes:
        built_sha256: of the model that must be on the board.
        block: the HEAD_BLOCK; None where the bundle kept the built layer.
        inputs, outputs: of the bundle's golden windows, (windows, ...) int8 each.
    """

    built_sha256: str
    block: bytes | None
    inputs: tuple[np.ndarray, ...]
    outputs: np.ndarray


def wearers_head(folder: Path) -> WearersHead:
    """Read it from a bundle that `personalise` wrote.

    Raises:
        KdEdgeError: as `load_board_bundle` and `head_block`. KD_USAGE: the bundle is no wearer's.
    """
    bundle = load_board_bundle(folder)
    built = _built(bundle)
    (member,) = bundle.product.members
    same = read_tflite(built).sha256 == bundle.model_sha256
    return WearersHead(
        read_tflite(built).sha256,
        None if same else head_block(built, member.path),
        bundle.golden.inputs,
        bundle.golden.outputs,
    )


def _built(bundle: BoardBundle) -> Path:
    """The model without the wearer's layer."""
    manifest = bundle.manifest
    name = f"{manifest.product}-{AS_BUILT}"
    for model in manifest.models:
        if model.name == name and model.format(SHIPPED) is not None:
            return bundled_file(bundle.folder, manifest, model.format(SHIPPED).file)
    raise KdEdgeError(
        "KD_USAGE",
        "the bundle has no wearer's last layer",
        where=str(bundle.folder),
        hint="`kd-edge personalise BUNDLE --data FEW --out OUT` makes a bundle that has one",
    )


def set_head(device: Device, head: WearersHead, tell: Callable[[str], None]) -> HeadState:
    """Let a wearer's last layer answer, and prove it: the board runs the bundle's golden windows.

    If an answer differs in any score, the layer that answered before is put back.

    Raises:
        KdEdgeError KD_BOARD_MODEL: another model is on the board. KD_GATE_PARITY: an answer
            differs. KD_BOARD_REFUSED: as `BoardHead`.
    """
    before = device.head.tell()
    if before.built_sha256 != head.built_sha256:
        raise KdEdgeError(
            "KD_BOARD_MODEL",
            f"{device.hello.board} was built with another model than the wearer's",
            where=f"on the board {before.built_sha256[:12]}…, here {head.built_sha256[:12]}…",
            hint="flash the bundle that was personalised: `kd-edge firmware BUNDLE --personal`",
        )
    tell("sending the last layer")
    state = _answer_by(device, head.block)
    tell(f"{len(head.outputs)} golden windows")
    windows = list(zip(*head.inputs, strict=True))
    windows = [tuple(array[None] for array in window) for window in windows]
    found = np.array([answer.scores for answer in device.run_many(windows)])
    wrong = np.flatnonzero((found != head.outputs.reshape(found.shape)).any(axis=1))
    if len(wrong):
        _answer_by(device, before.block if before.own else None)
        raise KdEdgeError(
            "KD_GATE_PARITY",
            f"{len(wrong)} of {len(found)} golden windows are answered otherwise than by TFLite "
            "Micro; the layer that answered before is back",
            where=f"{device.hello.board}, window {wrong[0]}",
            hint="compiler flags or a kernel are wrong: `kd-edge selftest` tries the built layer",
        )
    return state


def _answer_by(device: Device, block: bytes | None) -> HeadState:
    return device.head.reset() if block is None else device.head.set(block)
