"""Arithmetic that gives the same bytes on one machine, whatever its load and its free cores.

A sum of floats depends on the order of its terms, and libraries choose the order by the number of
threads, which they take from the cores that the process may use. One thread has one order. What is
left is the machine itself: another processor runs other kernels, and another version of a library
has others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def one_order_of_sums() -> Iterator[bool]:
    """BLAS on one thread while the block runs, TensorFlow on one from now on.

    Yields:
        whether TensorFlow's threads are fixed, see `fix_tensorflow`.
    """
    import scipy.linalg  # noqa: F401  brings a BLAS of its own, which must be loaded to be limited
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield fix_tensorflow()


def fix_tensorflow() -> bool:
    """One thread an operation, one operation at a time, and deterministic kernels, from now on.

    Returns:
        False where this process has already used TensorFlow with other threads, or Keras runs on
        something else: then the same seed may give other weights on another number of cores.
    """
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        return False
    with contextlib.suppress(RuntimeError):  # it has started: its threads stay as they are
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    return tf.config.threading.get_intra_op_parallelism_threads() == 1
