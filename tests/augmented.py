"""Windows of an augmentation's tests: channels of sensors, and many changes of one window."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from kd_edge.base.front_end import InputChannel
from kd_edge.distill.augmentations import Augmenter, make_augmentations


def channels(modality, *names, mean=0.0, scale=1.0, rectified=False):
    return tuple(InputChannel(modality, name, mean, scale, rectified) for name in names)


def many_changes(tables, windows, own, n=200):
    """Many windows that all begin as one, turned each by itself."""
    augmenter = Augmenter(make_augmentations(tables), {}, 1, own)
    many = {name: tf.tile(x[None], (n,) + (1,) * x.ndim) for name, x in windows.items()}
    after, *_ = augmenter(many, tf.zeros(n, "int32"), tf.ones(n, "bool"))
    return {name: np.asarray(x) for name, x in after.items()}
