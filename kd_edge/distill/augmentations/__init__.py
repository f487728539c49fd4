"""Augmentations by name: plausible changes of training examples, made inside the training step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import InputChannel
from kd_edge.base.registry import Registry
from kd_edge.distill.augmentations.channel_dropout import ChannelDropout
from kd_edge.distill.augmentations.common_gain import CommonGain
from kd_edge.distill.augmentations.gain import Gain
from kd_edge.distill.augmentations.mix import Mix
from kd_edge.distill.augmentations.move_picture import MovePicture
from kd_edge.distill.augmentations.noise import Noise
from kd_edge.distill.augmentations.offset import Offset
from kd_edge.distill.augmentations.record import Augmentation, Draw, beside
from kd_edge.distill.augmentations.rotate_axes import RotateAxes
from kd_edge.distill.augmentations.rotate_ring import RotateRing
from kd_edge.distill.augmentations.shift import Shift
from kd_edge.distill.augmentations.swap_channels import SwapChannels
from kd_edge.distill.augmentations.warp import Warp
from kd_edge.distill.batch import Mixed, Tensor
from kd_edge.distill.options import read_options

__all__ = ["AUGMENTATIONS", "Augmentation", "Augmenter", "make_augmentations"]

# In the order in which they change an example.
AUGMENTATIONS: Registry[type[Augmentation]] = Registry(
    "augmentation",
    {
        "gain": Gain,
        "common-gain": CommonGain,
        "offset": Offset,
        "shift": Shift,
        "warp": Warp,
        "rotate-ring": RotateRing,
        "rotate-axes": RotateAxes,
        "noise": Noise,
        "channel-dropout": ChannelDropout,
        "move-picture": MovePicture,
        "mix": Mix,
        "swap-channels": SwapChannels,
    },
    home=__name__,
)
_OURS = tuple(AUGMENTATIONS)


def make_augmentations(tables: Mapping[str, Any]) -> tuple[Augmentation, ...]:
    """A recipe's augmentations, in one order, however it writes them: a TOML table has none.

    Args:
        tables: name -> its options, or the first option's value.

    Raises:
        KdEdgeError KD_RECIPE_KEY: no such augmentation or option. KD_RECIPE_VALUE: out of range, or
            two that mix.
    """
    for name in tables:
        if name not in AUGMENTATIONS:
            raise KdEdgeError(
                "KD_RECIPE_KEY",
                AUGMENTATIONS.unknown(name),
                where=f"augmentation.{name}",
                hint=f"there are {', '.join(AUGMENTATIONS)}",
            )
    made = {name: _made(name, table) for name, table in tables.items()}
    in_order = sorted(made, key=lambda name: (made[name].mixes, _place(name), name))
    _check_mixed_once([name for name in in_order if made[name].mixes])
    return tuple(made[name] for name in in_order)


def _place(name: str) -> int:
    """Among our own; what a user has added comes behind them, but before what mixes."""
    return _OURS.index(name) if name in _OURS else len(_OURS)


def _made(name: str, table: object) -> Augmentation:
    kind = AUGMENTATIONS[name]
    options = table if isinstance(table, Mapping) else {next(iter(kind.model_fields)): table}
    return read_options(kind, options, what=f"augmentation '{name}'", where=f"augmentation.{name}")


def _check_mixed_once(names: Sequence[str]) -> None:
    """A batch has one other example for each, with one share."""
    if len(names) > 1:
        raise KdEdgeError(
            "KD_RECIPE_VALUE",
            f"{' and '.join(names)} both bring another example into each",
            where=f"augmentation.{names[1]}",
            hint="leave one of them out",
        )


class Augmenter:
    """Changes a batch, with random numbers whose state is kept beside the model's.

    Args:
        augmentations: one after the other.
        rates_hz: samples a second of each input that has a time axis.
        seed: the same seed gives the same changes, step after step.
        channels: of each input that came from sensors, in the order of its last axis.
    """

    def __init__(
        self,
        augmentations: Sequence[Augmentation],
        rates_hz: Mapping[str, float],
        seed: int,
        channels: Mapping[str, tuple[InputChannel, ...]] | None = None,
    ):
        self._augmentations = tuple(augmentations)
        self._rates_hz = dict(rates_hz)
        self._channels = dict(channels or {})
        self._seeds = keras.random.SeedGenerator(seed)

    @property
    def variables(self) -> list:
        """The state of its random numbers."""
        return [self._seeds.state]

    def __call__(
        self,
        inputs: Mapping[str, Tensor],
        truth: Tensor,
        changed: Tensor,
        channels: Mapping[str, tuple[InputChannel, ...]] | None = None,
    ) -> tuple[dict[str, Tensor], Tensor, Mixed | None]:
        """The batch and its truth, changed where asked, and what was mixed into it.

        Args:
            inputs: name -> (batch, ...).
            truth: (batch, ...) integers.
            changed: (batch,) bool; the others stay as they are.
            channels: in place of its own; their numbers may be tensors.
        """
        told = self._channels if channels is None else channels
        draw = Draw(ops.shape(changed)[0], self._rates_hz, told, self._seeds)
        after, true, mixed = dict(inputs), truth, None
        for augmentation in self._augmentations:
            if augmentation.mixes:
                others = {name: _next(x) for name, x in after.items()}
                after, share = augmentation.mix(after, others, draw)
                mixed = Mixed(_next(true), ops.where(changed, share, 0.0))
            else:
                after, true = augmentation.change_both(after, true, draw)
        kept = {n: ops.where(beside(changed, x), after[n], x) for n, x in inputs.items()}
        return kept, ops.where(beside(changed, truth), true, truth), mixed


def _next(x: Tensor) -> Tensor:
    """(batch, ...) of the example after each; batches are shuffled, so it is any other."""
    return ops.roll(x, -1, axis=0)
