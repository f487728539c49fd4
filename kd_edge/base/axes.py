"""Which channels are the x, y and z of one vector, by their names."""

from __future__ import annotations

from collections.abc import Sequence


def vectors_among(names: Sequence[str]) -> list[list[int]]:
    """Places of x, y and z of each vector among one modality's channels.

    Three channels are a vector if their names differ in x, y and z alone: 'ACC X', 'ACC Y',
    'ACC Z'. They come in the order of their x.
    """
    places = {name: place for place, name in enumerate(names)}
    found = []
    for name in names:
        for at, letter in enumerate(name):
            if letter not in "xX":
                continue
            axes = [name[:at] + chr(ord(letter) + step) + name[at + 1 :] for step in range(3)]
            if all(axis in places for axis in axes):
                found.append([places[axis] for axis in axes])
                break
    return found
