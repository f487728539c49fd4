"""What the serial link asks and tells of a board's wearer: their normaliser, their last layer."""

from __future__ import annotations

from kd_edge.base.protocol_types import Block, Field, Message

WEARER_MESSAGES = (
    Message(
        "NORMALISER",
        0x0D,
        "host",
        "Asks what the running normaliser knows of its wearer, once it has done this.",
        (
            Field(
                "action",
                "u8",
                "TELL: nothing. RESET: forget the wearer. FREEZE: windows move nothing. THAW: they "
                "do again. SET: go on from `states`. KEEP: keeps states and `frozen` without power",
            ),
            Field("states", "i8*", "with SET: as an answer gave them"),
        ),
    ),
    Message(
        "NORMALISER_ANSWER",
        0x8D,
        "board",
        "What it knows.",
        (
            Field("frozen", "u8", "1: windows move nothing"),
            Field(
                "states",
                "i8*",
                "of each channel of each input, in order, then of gravity along both axes if the "
                "front end takes back a roll: mean f32, mean square f32, windows u32",
            ),
        ),
    ),
    Message(
        "HEAD",
        0x0E,
        "host",
        "Asks which last layer answers, once it has done this.",
        (
            Field(
                "action",
                "u8",
                "TELL: nothing. RESET: the built one answers. SET: puts a part of a wearer's in "
                "place; with its last byte it answers. KEEP: keeps what answers without power",
            ),
            Field("offset", "u32", "with TELL and SET: where in the HEAD_BLOCK", "byte"),
            Field("data", "i8*", "with SET: bytes of the HEAD_BLOCK"),
        ),
    ),
    Message(
        "HEAD_ANSWER",
        0x8E,
        "board",
        "Which last layer answers.",
        (
            Field("own", "u8", "1: a wearer's. 0: the built one"),
            Field("kept", "u8", "1: it will answer after the next start, too"),
            Field("head_bytes", "u32", "bytes of a HEAD_BLOCK", "byte"),
            Field("placed", "u32", "bytes of another one that are in place", "byte"),
            Field("built_sha256", "u8", "of the .tflite as built", count=32),
            Field("model_sha256", "u8", "of the .tflite that answers, as in HELLO", count=32),
            Field("head", "i8*", "with TELL: of a wearer's HEAD_BLOCK, from the offset on"),
        ),
    ),
)

HEAD_BLOCK = Block(
    "HEAD_BLOCK",
    "A wearer's last layer, in as many HEADs as it needs.",
    (
        Field("crc", "u32", "CRC-32 of all that follows"),
        Field("built_sha256", "u8", "of the .tflite whose last layer it replaces", count=32),
        Field("model_sha256", "u8", "of the .tflite that it makes of that one", count=32),
        Field("rows", "u16", "scores"),
        Field("columns", "u16", "inputs of the layer"),
        Field("scales", "u32", "multipliers: one, or one for each row"),
        Field(
            "values",
            "i8*",
            "multiplier i32 and shift i32 of each; bias i32 of each row, the input's zero "
            "point folded in; weights i8, row after row",
        ),
    ),
)
