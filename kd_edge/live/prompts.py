"""What is asked for, in which order."""

from __future__ import annotations

import random
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.untrusted import read_regular

_LONGEST = 100
_MOST = 10_000
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")


@dataclass(frozen=True)
class Prompt:
    """One repetition of one sign, from 1 on; with a picture of it, if there is one."""

    label: str
    repetition: int
    picture: Path | None = None


def read_prompts(path: Path) -> dict[str, Path | None]:
    """The signs of a text file, one a line, or of a folder of pictures, by their names.

    In a file a picture may stand behind a comma or a tab: `house, pictures/house.png`, from the
    file's folder on. What stands behind '#' is left out.

    Returns:
        sign -> its picture.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_FORMAT: it cannot be read, names none, or one twice; a
            picture is not there, or is none.
    """
    lines = _of_folder(path) if path.is_dir() else _of_file(path)
    found: dict[str, Path | None] = {}
    places: dict[str, str] = {}
    for label, picture, place in lines:
        if label in found:
            raise _bad(f"'{label}' stands there twice", f"{path}, {places[label]} and {place}")
        if not is_label(label):
            raise _bad(f"{label[:40]!r} is no name of a sign", f"{path}, {place}")
        if picture is not None:
            _check_picture(picture, f"{path}, {place}")
        found[label], places[label] = picture, place
    if not found or len(found) > _MOST:
        raise _bad(f"{path.name} names {len(found)} signs", str(path))
    return found


def is_label(text: str) -> bool:
    """Whether a text can name a sign."""
    return bool(text) and len(text) <= _LONGEST and text.isprintable()


# A sign, its picture, and where it stands.
_Line = tuple[str, Path | None, str]


def _of_folder(path: Path) -> list[_Line]:
    pictures = sorted(p for p in path.iterdir() if p.suffix.lower() in _PICTURES)
    return [(picture.stem, picture, picture.name) for picture in pictures]


def _of_file(path: Path) -> list[_Line]:
    where = str(path)
    try:
        text = read_regular(path).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise KdEdgeError(
            "KD_NO_FILE", f"{path} is not there", where=where, hint="write one sign a line into it"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise _bad(f"{path.name} cannot be read: {error}", where) from error
    lines = []
    for number, line in enumerate(text.splitlines(), start=1):
        if content := line.partition("#")[0].strip():
            label, picture = _split(content)
            lines.append((label, picture and path.parent / picture, f"line {number}"))
    return lines


def _split(line: str) -> tuple[str, str | None]:
    """A sign and its picture: signs may have commas, too."""
    cut = max(line.rfind(","), line.rfind("\t"))
    behind = line[cut + 1 :].strip()
    if cut < 0 or Path(behind).suffix.lower() not in _PICTURES:
        return line, None
    return line[:cut].strip(), behind


def _check_picture(path: Path, where: str) -> None:
    """Decode it once: a prompt whose picture fails would come too late."""
    from PIL import Image, UnidentifiedImageError

    hint = "a PNG, JPEG, WebP or GIF file, named from the folder of the prompts on"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as image:
                image.load()
    except FileNotFoundError as error:
        message = f"the picture {path.name} is not there"
        raise KdEdgeError("KD_NO_FILE", message, where=where, hint=hint) from error
    except (
        OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:  # fmt: skip
        message = f"the picture {path.name} cannot be read: {error}"
        raise KdEdgeError("KD_BAD_FORMAT", message, where=where, hint=hint) from error


def _bad(what: str, where: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_BAD_FORMAT", what, where=where,
        hint="one sign a line, each once, as UTF-8; or a folder of pictures",
    )  # fmt: skip


def ask_for(
    signs: Mapping[str, Path | None], repetitions: int, done: Mapping[str, int], *, seed: int | None
) -> list[Prompt]:
    """Prompts in random order: every sign once, then every sign again.

    No order then tells the sign, and whoever stops early has about as many of each.

    Args:
        signs: as of `read_prompts`.
        done: label -> repetitions that are recorded already.
        seed: None: another order each time.
    """
    order = random.Random(seed)
    asked = []
    for repetition in range(1, repetitions + 1):
        turn = [
            Prompt(label, repetition, picture)
            for label, picture in signs.items()
            if done.get(label, 0) < repetition
        ]
        order.shuffle(turn)
        if asked and len(turn) > 1 and asked[-1].label == turn[0].label:
            turn.append(turn.pop(0))
        asked += turn
    return asked
