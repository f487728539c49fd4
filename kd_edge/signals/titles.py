"""Names of sensors' signals as exporters write them, and what they say."""

from __future__ import annotations

import re
from collections.abc import Iterable

_OPENING = {")": "(", "]": "["}
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

# First words of titles that say that a column holds a sensor's signal, whatever its numbers do.
_SENSOR_WORDS = {
    *("emg", "acc", "gyr", "mag", "quat", "ecg", "eeg", "eog", "eda", "gsr", "ppg", "fsr"),
    *("force", "torque", "angle", "goniometer", "pressure", "temp", "temperature", "analog"),
}


def split_title(title: str) -> tuple[str, str]:
    """('ACC X', 'G') of 'ACC X (G)': name and unit, '' where there is none.

    The unit stands in the last pair of parentheses or brackets: 'EMG (left) (mV)' is in mV, and
    'Breathing Cycle (Cycle(s))' in Cycle(s).
    """
    title = title.strip()
    opening = _OPENING.get(title[-1:])
    depth = 0
    for position in range(len(title) - 1, -1, -1) if opening else ():
        depth += (title[position] == title[-1]) - (title[position] == opening)
        if depth == 0:
            return title[:position].rstrip(), title[position + 1 : -1].strip()
    return title, ""


def modality_of(name: str) -> str:
    """Modality by a signal's first word: 'ACC.X 3' is 'acc', 'gyro_x' 'gyr'; '' without a word."""
    words = _WORD.findall(name)
    if not words:
        return ""
    word = words[0].lower()
    return _MODALITIES.get(word, word)


def is_sensor_title(title: str) -> bool:
    """Whether a title's first word is what sensors measure: 'ACC X', 'emg_1 (mV)'."""
    return modality_of(title) in _SENSOR_WORDS


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """The names, with ' #2', ' #3', … after those that stood before."""
    taken: set[str] = set()
    count: dict[str, int] = {}  # where to go on: thousands of equal names take no quadratic time
    result = []
    for name in names:
        candidate = name
        while candidate in taken:
            count[name] = count.get(name, 1) + 1
            candidate = f"{name} #{count[name]}"
        taken.add(candidate)
        result.append(candidate)
    return tuple(result)
