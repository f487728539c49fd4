"""Every byte of the serial link, stated once: Python, the C header and docs/protocol.md follow.

A frame is COBS between zero bytes of `version u8, type u8, sequence u16, payload, CRC-32 u32`,
little endian, the CRC being zlib's over all that precedes it. A payload is its message's fields in
order: first those of fixed size, then those whose size the payload itself tells.
"""

from __future__ import annotations

from types import MappingProxyType

from kd_edge.base.protocol_types import Block, Field, Message
from kd_edge.base.protocol_wearer import HEAD_BLOCK, WEARER_MESSAGES

# Goes up when an older end would misread a message. The second byte of a frame is the version, and
# no printable character: so text is never taken for a frame.
VERSION = 2
# The bytes of a frame around its payload: version, type, sequence; CRC-32.
HEADER_BYTES = 4
CRC_BYTES = 4
# Bytes of payload: what a board takes unless its firmware says otherwise, and the least that it may
# take. A HELLO_ANSWER's fixed fields fit in the least.
DEFAULT_PAYLOAD = 1024
LEAST_PAYLOAD = 128
# Scores in one answer at most, unless the firmware says otherwise. The board keeps its last
# answers, so larger ones cost it memory.
DEFAULT_SCORES = 256
# The most that a board may state of itself: bytes of a window or of scores, samples a second. The
# slowest sensor gives a sample in a quarter of an hour.
MOST_BYTES = 1 << 24
MOST_RATE_HZ = 1e6
LEAST_RATE_HZ = 1e-3
# Sequence numbers are 16 bits, and kept answers are found by them: the depth divides 65,536.
MOST_DEPTH = 128

ANSWERS = 0x80  # an answer's type is its request's with this bit

# Names of the values that some fields take, for both ends.
KINDS = MappingProxyType({"INT8": 0, "RAW": 1})
FLAGS = MappingProxyType({"KEEP_STATE": 1, "KEEP_WEARER": 2, "KEEP_DECISION": 4})
TICKS = MappingProxyType({"CYCLES": 0, "INSTRUCTIONS": 1, "MICROSECONDS": 2})
ACTIONS = MappingProxyType({"TELL": 0, "RESET": 1, "FREEZE": 2, "THAW": 3, "SET": 4, "KEEP": 5})
# Details of a HEAD that is REFUSED; of a NORMALISER, NOT_KEPT alone.
WHYS = MappingProxyType({"DAMAGED": 1, "MODEL": 2, "SHAPE": 3, "NUMBERS": 4, "NOT_KEPT": 5})
MARKS = MappingProxyType({"ONSET": 1, "REJECTED": 2})
CHOICES = MappingProxyType(
    {
        "KIND": KINDS,
        "FLAG": FLAGS,
        "TICKS": TICKS,
        "ACTION": ACTIONS,
        "WHY": WHYS,
        "MARK": MARKS,
    }
)
# One channel's state of the running normaliser: mean f32, mean square f32, windows u32.
STATE_BYTES = 12

_KIND = Field(
    "kind",
    "u8",
    "INT8: quantised inputs, in HELLO's order; RAW: sensor samples, or 8-bit pixels of each input",
)
_FLAGS = Field(
    "flags",
    "u8",
    "KEEP_STATE: do not reset the model before this window. KEEP_WEARER: nor, for RAW, the running "
    "normaliser. KEEP_DECISION: nor the decision rule",
)
_OFFSET = Field("offset", "u32", "where in the window the data belong", "byte")
_TICKS = (
    Field("ticks", "u64", "engine; HELLO's ticks_kind and ticks_per_thousand say what"),
    Field("front_end_ticks", "u64", "front end and quantisation, the same unit; 0 for INT8"),
    Field("microseconds", "u32", "both together by the board's clock", "µs"),
)
_TENSOR = (
    Field("name", "str", "the tensor's name"),
    Field("scale", "f32", "real value of one step"),
    Field("zero_point", "i32", "step that stands for zero"),
    Field("shape", "list", "dimensions", items=(Field("size", "u32", "one dimension"),)),
)
_SCORES = Field("scores", "i8*", "of every output, in order: the first part, or all of them")
_FROM = Field("offset", "u32", "of the first byte wanted", "byte")
_END = (Field("end", "u32", "number of the sample after the window's last, modulo 2^32"),)
_MODEL = (
    Field("name", "str", "the model's name"),
    Field("model_sha256", "u8", "of its .tflite", count=32),
    Field("inputs", "list", "its inputs", items=_TENSOR),
    Field("outputs", "list", "its outputs, on its own scale", items=_TENSOR),
)
_STREAM = (
    Field("name", "str", "the sensor's name"),
    Field("channels", "u8", "values per sample"),
    Field("rate", "f64", "native sampling rate", "Hz"),
    Field("samples", "u32", "samples in one raw window"),
)

MESSAGES = (
    Message(
        "HELLO",
        0x01,
        "host",
        "Opens a session; every other request is refused before it.",
        (Field("session", "u32", "any number; the answer repeats it"),),
    ),
    Message(
        "HELLO_ANSWER",
        0x81,
        "board",
        "What stands at the other end.",
        (
            Field("session", "u32", "the request's"),
            Field("boot", "u32", "differs after each start of the board, as far as it can tell"),
            Field("receive_bytes", "u32", "bytes that may be unanswered on the wire", "byte"),
            Field("max_payload", "u16", "largest payload the board takes", "byte"),
            Field("depth", "u8", "requests that may be unanswered; so many answers are kept"),
            Field("ticks_kind", "u8", "CYCLES, INSTRUCTIONS or MICROSECONDS"),
            Field("firmware", "u8", "firmware version: major, minor, patch", count=3),
            Field("ticks_per_thousand", "u32", "timer ticks in a thousand of ticks_kind"),
            Field("clock_hz", "u32", "the core's clock", "Hz"),
            Field("max_baud", "u32", "highest speed the board agrees to; 0: fixed", "baud"),
            Field("golden_count", "u16", "golden vectors in the image"),
            Field("layer_count", "u16", "layers that PROFILE tells; 0: none"),
            Field("int8_bytes", "u32", "bytes of an INT8 window", "byte"),
            Field(
                "raw_bytes",
                "u32",
                "bytes of a RAW window, of pixels if there are no streams; 0: INT8 alone",
                "byte",
            ),
            Field("output_bytes", "u32", "bytes of scores", "byte"),
            Field("scores_bytes", "u16", "of them in one answer, at most", "byte"),
            Field("facts_bytes", "u16", "bytes of all facts", "byte"),
            Field("model_sha256", "u8", "of the .tflite", count=32),
            Field("facts", "i8*", "names, tensors and sensors: as much of the block as fits"),
        ),
    ),
    Message("RESET", 0x02, "host", "Clears the model's state."),
    Message("RESET_ANSWER", 0x82, "board", "Done."),
    Message(
        "PART",
        0x03,
        "host",
        "Some of a window larger than a frame; offset 0 starts one.",
        (_KIND, _FLAGS, _OFFSET, Field("data", "i8*", "bytes of the window")),
    ),
    Message("PART_ANSWER", 0x83, "board", "It is in place."),
    Message(
        "RUN",
        0x04,
        "host",
        "The rest of a window; the model then runs.",
        (
            _KIND,
            _FLAGS,
            _OFFSET,
            Field("data", "i8*", "the window's last bytes"),
        ),
    ),
    Message(
        "RUN_ANSWER",
        0x84,
        "board",
        "The model's answer.",
        (
            *_TICKS,
            _SCORES,
        ),
    ),
    Message(
        "SELFTEST",
        0x05,
        "host",
        "Runs one golden vector; the model's state is reset.",
        (Field("index", "u16", "which, from 0"),),
    ),
    Message(
        "SELFTEST_ANSWER",
        0x85,
        "board",
        "How it went.",
        (
            Field("count", "u16", "golden vectors in the image"),
            Field("index", "u16", "the request's"),
            Field("differing", "u32", "scores that differ from the expected ones; 0: passed"),
            *_TICKS,
        ),
    ),
    Message(
        "PROFILE",
        0x06,
        "host",
        "Ticks per layer; first 0 runs the model anew.",
        (Field("first", "u16", "the first layer wanted"),),
    ),
    Message(
        "PROFILE_ANSWER",
        0x86,
        "board",
        "As many layers as fit.",
        (
            Field("count", "u16", "layers in all"),
            Field("first", "u16", "the request's"),
            Field(
                "layers",
                "list",
                "layers in order",
                items=(
                    Field("ticks", "u64", "as in RUN_ANSWER"),
                    Field("name", "str", "the layer's name"),
                ),
            ),
        ),
    ),
    Message("MEMORY", 0x07, "host", "Asks for memory and receive counters."),
    Message(
        "MEMORY_ANSWER",
        0x87,
        "board",
        "Since the board started; 4294967295 stands for what the board cannot know.",
        (
            Field("stack_used", "u32", "high-water mark", "byte"),
            Field("stack_size", "u32", "reserved", "byte"),
            Field("static_bytes", "u32", "variables, arena and buffers among them", "byte"),
            Field("arena_bytes", "u32", "the engine's", "byte"),
            Field("overruns", "u32", "bytes that came while the receive buffer was full", "byte"),
            Field("bad_cobs", "u32", "frames dropped: not COBS"),
            Field("bad_crc", "u32", "frames dropped: CRC-32 differs"),
            Field("bad_length", "u32", "frames dropped: too short or too long"),
            Field("gaps", "u32", "frames dropped: one before them was missing"),
            Field(
                "repeats", "u32", "requests that came again and were answered from what was kept"
            ),
        ),
    ),
    Message(
        "STREAM",
        0x08,
        "host",
        "Starts the stream.",
        (
            Field("windows", "u32", "predictions wanted; 0: until STOP"),
            Field("flags", "u8", "KEEP_STATE: the model's state runs on from window to window"),
        ),
    ),
    Message("STREAM_ANSWER", 0x88, "board", "SAMPLES and PREDICTION frames follow."),
    Message("STOP", 0x09, "host", "Ends the stream."),
    Message(
        "STOP_ANSWER",
        0x89,
        "board",
        "Nothing more follows.",
        (Field("frames", "u32", "SAMPLES and PREDICTION frames sent since STREAM"),),
    ),
    Message(
        "SPEED",
        0x0A,
        "host",
        "Changes the baud rate once the answer is out.",
        (Field("baud", "u32", "wanted", "baud"),),
    ),
    Message(
        "SPEED_ANSWER",
        0x8A,
        "board",
        "Goes back after a second without a frame.",
        (Field("baud", "u32", "the request's", "baud"),),
    ),
    Message(
        "SCORES",
        0x0B,
        "host",
        "Asks for scores that did not fit into a RUN_ANSWER.",
        (
            Field("run", "u16", "sequence number of the RUN"),
            _FROM,
        ),
    ),
    Message(
        "SCORES_ANSWER",
        0x8B,
        "board",
        "The next part.",
        (
            Field("offset", "u32", "the request's", "byte"),
            Field("scores", "i8*", "from there on, `scores_bytes` of them or the rest"),
        ),
    ),
    Message(
        "FACTS",
        0x0C,
        "host",
        "Asks for facts that did not fit into the HELLO_ANSWER.",
        (_FROM,),
    ),
    Message(
        "FACTS_ANSWER",
        0x8C,
        "board",
        "The next part.",
        (
            Field("offset", "u32", "the request's", "byte"),
            Field("facts", "i8*", "from there on, as many as fit"),
        ),
    ),
    *WEARER_MESSAGES,
    Message(
        "SAMPLES",
        0xC1,
        "board",
        "Sensor samples; the sequence numbers stream frames.",
        (
            Field("stamp_us", "u64", "time of the first sample by the board's clock", "µs"),
            Field("first", "u32", "number of the first sample since STREAM, modulo 2^32"),
            Field("stream", "u8", "which sensor, in the order of HELLO"),
            Field("values", "i16*", "sample after sample, each with all its channels"),
        ),
    ),
    Message(
        "PREDICTION",
        0xC2,
        "board",
        "The answer to the window that ends where `ends` says.",
        (
            Field("stamp_us", "u64", "when the window was complete", "µs"),
            Field("window", "u32", "number since STREAM"),
            *_TICKS,
            Field("ends", "list", "per sensor", items=_END),
            _SCORES,
        ),
    ),
    Message(
        "PREDICTION_PART",
        0xC3,
        "board",
        "Scores that did not fit into the PREDICTION before it.",
        (
            Field("window", "u32", "the PREDICTION's"),
            Field("offset", "u32", "of the first of these scores", "byte"),
            Field("scores", "i8*", "from there on, as many as fit"),
        ),
    ),
    Message(
        "ERROR",
        0xFF,
        "board",
        "Instead of an answer.",
        (
            Field("status", "u8", "see the list of codes"),
            Field("detail", "u32", "see the list of codes"),
            Field("text", "text*", "the code in words"),
        ),
    ),
)

BLOCKS = (
    HEAD_BLOCK,
    Block(
        "FACTS_BLOCK",
        "What HELLO_ANSWER and FACTS_ANSWERs carry together.",
        (
            Field("board", "str", "the board's name"),
            Field("core", "str", "the core's name"),
            Field("engine", "str", "what runs the model"),
            Field("inputs", "list", "the model's inputs", items=_TENSOR),
            Field("outputs", "list", "the model's outputs", items=_TENSOR),
            Field("streams", "list", "sensors, in the order of a RAW window", items=_STREAM),
            Field("rule", "str", "how several models answer as one; empty: one model", later=True),
            Field("models", "list", "those models, a selector last", items=_MODEL, later=True),
            Field("filters", "str", "run-on in a stream; empty: anew for each window", later=True),
        ),
    ),
    Block(
        "DECISION_BLOCK",
        "The bytes of the output `decision`, behind all others: what the window leads to.",
        (
            Field("said", "u16", "class that is said from this window on; 0xFFFF: none"),
            Field("leading", "u16", "class that the last windows speak for most"),
            Field("confidence", "u16", "its share, 32768 for all"),
            Field("marks", "u8", "ONSET: `said` begins here. REJECTED: the window does not count"),
        ),
    ),
)

FORMATS = MappingProxyType({each.name: each for each in (*MESSAGES, *BLOCKS)})
BY_NAME = MappingProxyType({message.name: message for message in MESSAGES})
BY_NUMBER = MappingProxyType({message.number: message for message in MESSAGES})
