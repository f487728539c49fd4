"""How the axes of a window become the axes of a file's input, said in words: 'channels samples'.

The words are `steps`, `samples` and `channels` of a window, `rows`, `columns` and `channels` of an
image, `time` for the steps and samples of a window together, and `1` for an axis of length one.
Words in brackets become one axis: '(channels samples)'.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

# By the number of axes of one example: what each may be called.
_NAMES = {
    1: (("channels",),),
    2: (("samples",), ("channels",)),
    3: (("steps", "rows"), ("samples", "columns"), ("channels",)),
}
_WORDS = frozenset({"time", "1"}.union(*(names for axes in _NAMES.values() for names in axes)))
_GROUP = re.compile(r"\(([^()]*)\)|([^\s()]+)")

# Axes of the file's input, each of which some words make: (("channels",), ("steps", "samples")).
Layout = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Arrangement:
    """A window's axes in another order, some joined.

    Attributes:
        axes: of the window with its batch axis, in the new order.
        shape: of one example then.
    """

    axes: tuple[int, ...]
    shape: tuple[int, ...]

    def of(self, array: Any, library: Any) -> Any:
        """(batch, ...) in the new order, by NumPy or `keras.ops`."""
        return library.reshape(library.transpose(array, self.axes), (-1, *self.shape))


def read_layout(text: str) -> Layout:
    """The axes that a layout's words make.

    Raises:
        ValueError: an unknown word, one that stands there twice, or brackets that do not match.
    """
    if _GROUP.sub("", text).strip():
        raise ValueError(f"the brackets of '{text}' do not match")
    found = [group[1].split() if group[1] is not None else [group[2]]
             for group in _GROUP.finditer(text)]  # fmt: skip
    words = [word for axis in found for word in axis if word != "1"]
    for word in words:
        if word not in _WORDS:
            raise ValueError(
                f"'{word}' is no axis: a window has steps, samples (or time for both) and "
                "channels, an image rows, columns and channels, and 1 is an axis of length one"
            )
    if not words or len(set(words)) < len(words):
        raise ValueError(f"'{text}' must name each axis once")
    return tuple(map(tuple, found))


def arrange(layout: Layout, shape: Sequence[int]) -> Arrangement:
    """The arrangement that a layout asks of one example.

    Args:
        shape: of the example, without the batch.

    Raises:
        ValueError: the layout names another number of axes, or an axis that the example lacks.
    """
    axes: list[int] = []
    new_shape = []
    for words in layout:
        taken = [axis for word in words for axis in _axes_of(word, len(shape))]
        axes += taken
        new_shape.append(math.prod(shape[axis] for axis in taken))
    if sorted(axes) != list(range(len(shape))):
        raise ValueError(f"it must name each of the {len(shape)} axes once: {_own(len(shape))}")
    return Arrangement((0, *(axis + 1 for axis in axes)), tuple(new_shape))


def as_it_is(shape: Sequence[int]) -> Arrangement:
    """An example's own axes in their order."""
    return Arrangement(tuple(range(len(shape) + 1)), tuple(shape))


def fitting(shape: Sequence[int], wanted: Sequence[int | None]) -> Iterator[str]:
    """Layouts that bring an example into a shape, in words; None stands for any length.

    Args:
        shape: of the example. wanted: of the file's input. Both without the batch.
    """
    names = [names[0] for names in _NAMES.get(len(shape), ())]
    choices = [names, ["time", "channels"]] if len(shape) == 3 else [names]
    for words in choices:
        for order in permutations(words):
            text = " ".join(order)
            for said in (text, f"1 {text}", f"{text} 1", f"({text})"):
                if fits(arrange(read_layout(said), shape).shape, wanted):
                    yield said


def fits(shape: Sequence[int], wanted: Sequence[int | None]) -> bool:
    """Whether lengths are those that are wanted; None stands for any."""
    return len(shape) == len(wanted) and all(
        want in (None, have) for have, want in zip(shape, wanted, strict=True)
    )


def _axes_of(word: str, n_axes: int) -> list[int]:
    if word == "1":
        return []
    if word == "time":
        return list(range(n_axes - 1))
    for axis, names in enumerate(_NAMES.get(n_axes, ())):
        if word in names:
            return [axis]
    raise ValueError(f"it names '{word}', and an input of {n_axes} axes has {_own(n_axes)}")


def _own(n_axes: int) -> str:
    return ", ".join(" or ".join(names) for names in _NAMES.get(n_axes, ())) or "no names"
