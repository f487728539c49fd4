"""Names of sensors' signals as exporters write them, and what they say."""

from __future__ import annotations

import re
from collections.abc import Iterable

_TITLE = re.compile(r"^(?P<name>.*?)\s*(?:\((?P<unit>.*)\)|\[(?P<bracket>.*)\])?$", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]+")
# First word of a signal's title -> modality. Other words stand for themselves, in lower case.
_MODALITIES = {
    "accel": "acc",
    "accelerometer": "acc",
    "acceleration": "acc",
    "gyro": "gyr",
    "gyroscope": "gyr",
    "magnetometer": "mag",
    "quaternion": "quat",
    "orientation": "quat",
    "semg": "emg",
}


def split_title(title: str) -> tuple[str, str]:
    """('ACC X', 'G') of 'ACC X (G)': name and unit, '' where there is none."""
    match = _TITLE.match(title.strip())
    return match["name"], (match["unit"] or match["bracket"] or "").strip()


def modality_of(name: str) -> str:
    """Modality by a signal's first word: 'ACC.X 3' is 'acc', 'gyro_x' 'gyr'; '' without a word."""
    words = _WORD.findall(name)
    if not words:
        return ""
    word = words[0].lower()
    return _MODALITIES.get(word, word)


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """The names, with ' #2', ' #3', … after those that stood before."""
    taken: set[str] = set()
    result = []
    for name in names:
        candidate, number = name, 1
        while candidate in taken:
            number += 1
            candidate = f"{name} #{number}"
        taken.add(candidate)
        result.append(candidate)
    return tuple(result)
