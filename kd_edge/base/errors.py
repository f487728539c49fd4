"""Errors that a user can act on: a stable code, what, where and what to do next."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class ExitStatus(enum.IntEnum):
    """Exit statuses of the command line; stable, so that scripts may rely on them."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    BAD_DATA = 3
    MISSING_TOOL = 4
    BOARD = 5
    GATE = 6
    INTERRUPTED = 130


@dataclass(frozen=True)
class ErrorKind:
    """One kind of error: its code, and the exit status of a command that ends with it."""

    code: str
    status: ExitStatus


def _kinds(status: ExitStatus, *codes: str) -> dict[str, ErrorKind]:
    return {code: ErrorKind(code, status) for code in codes}


# Every code that kd-edge raises, once. A code is never renamed.
KINDS: dict[str, ErrorKind] = {
    **_kinds(ExitStatus.INTERNAL, "KD_INTERNAL"),
    **_kinds(
        ExitStatus.USAGE,
        "KD_USAGE",
        "KD_RECIPE_SYNTAX",
        "KD_RECIPE_KEY",
        "KD_RECIPE_VALUE",
        "KD_UNKNOWN_NAME",
        "KD_NOT_LOGITS",
        "KD_NOT_CAUSAL",
        "KD_PRECISION",
        "KD_SHAPE",
        "KD_BOARD_FILE",
        "KD_FLEET_REFUSED",
    ),
    **_kinds(
        ExitStatus.BAD_DATA,
        "KD_NO_FILE",
        "KD_EMPTY_FOLDER",
        "KD_BAD_FORMAT",
        "KD_BAD_CELL",
        "KD_TRUNCATED",
        "KD_BAD_SAMPLES",
        "KD_CHANNEL_MISSING",
        "KD_COUNTS",
        "KD_RATE_MISMATCH",
        "KD_UNIT_MISMATCH",
        "KD_ONE_CLASS",
        "KD_CLASS_NOT_IN_TRAINING",
        "KD_EMPTY_PART",
        "KD_WINDOW_TOO_LONG",
        "KD_DUPLICATES",
        "KD_LABELS",
        "KD_WINDOWS_MISSING",
        "KD_OUTPUT",
        "KD_BUNDLE_VERSION",
        "KD_BUNDLE_ALTERED",
        "KD_BAD_TFLITE",
        "KD_DIVERGED",
        "KD_UNSUPPORTED_OP",
        "KD_LINK_LIMIT",
        "KD_CONVERTER_CRASH",
        "KD_CONVERTER_REFUSED",
    ),
    **_kinds(ExitStatus.MISSING_TOOL, "KD_MISSING_PACKAGE", "KD_MISSING_TOOL", "KD_CLUSTER"),
    **_kinds(ExitStatus.INTERNAL, "KD_COMPILE", "KD_FLEET_CRASH"),
    **_kinds(
        ExitStatus.BOARD,
        "KD_BOARD_FULL",
        "KD_BOARD_TIMEOUT",
        "KD_BOARD_EMULATOR",
        "KD_PORT_ABSENT",
        "KD_PORT_BUSY",
        "KD_PORT_DENIED",
        "KD_PORT_CLOSED",
        "KD_PORT_AMBIGUOUS",
        "KD_BLUETOOTH_OFF",
        "KD_BOARD_SPEED",
        "KD_BOARD_NO_FIRMWARE",
        "KD_BOARD_PROTOCOL",
        "KD_BOARD_MODEL",
        "KD_BOARD_RESET",
        "KD_BOARD_REFUSED",
        "KD_BOARD_FLASH",
        "KD_SOURCE_TIMEOUT",
        "KD_SOURCE_PROTOCOL",
        "KD_SOURCE_LOST",
    ),
    **_kinds(
        ExitStatus.GATE,
        "KD_GATE_ACCURACY",
        "KD_GATE_PARITY",
        "KD_GATE_SIZE",
        "KD_GATE_LINT",
        "KD_GATE_BASELINE",
    ),
}


class KdEdgeError(Exception):
    """A failure that the user can mend.

    Args:
        code: a key of `KINDS`.
        message: what is wrong, in one sentence.
        where: file, row, channel, key or tensor, as precisely as known.
        hint: what to do next.
    """

    def __init__(
        self, code: str, message: str, *, where: str | None = None, hint: str | None = None
    ):
        super().__init__(message)
        self.kind = KINDS[code]
        self.message = message
        self.where = where
        self.hint = hint

    @property
    def code(self) -> str:
        return self.kind.code

    @property
    def exit_status(self) -> ExitStatus:
        return self.kind.status

    def __str__(self) -> str:
        lines = [f"{self.code}: {self.message}"]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.hint:
            lines.append(f"  hint:  {self.hint}")
        return "\n".join(lines)

    def __reduce__(self):
        # Errors cross process borders; keyword-only arguments need help there.
        return _rebuild, (self.code, self.message, self.where, self.hint)

    def to_json(self) -> dict[str, str | int | None]:
        """The error as `--json` prints it."""
        return {
            "code": self.code,
            "message": self.message,
            "where": self.where,
            "hint": self.hint,
            "exit_status": int(self.exit_status),
        }


def _rebuild(code: str, message: str, where: str | None, hint: str | None) -> KdEdgeError:
    return KdEdgeError(code, message, where=where, hint=hint)


def nearest(name: str, known) -> str:
    """' (did you mean …?)' with up to three known names like `name`, or the empty string."""
    import difflib

    close = difflib.get_close_matches(str(name), [str(k) for k in known], n=3, cutoff=0.5)
    return f" (did you mean {' or '.join(repr(c) for c in close)}?)" if close else ""


def require(package: str, *, extra: str, purpose: str):
    """Import an optional package, or say which extra brings it.

    Raises:
        KdEdgeError KD_MISSING_PACKAGE: it is not installed.
    """
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise KdEdgeError(
            "KD_MISSING_PACKAGE",
            f"{purpose} needs the package '{package}', which cannot be imported",
            where=str(error),
            hint=f"pip install 'kd-edge[{extra}]'; `kd-edge doctor` shows what else is missing",
        ) from error
