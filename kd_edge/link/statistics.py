"""What went over a link, counted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Statistics:
    """Counters since a device was opened; `dataclasses.asdict` gives them for a report.

    Attributes:
        frames_sent, bytes_sent: repeated ones included.
        frames_received, bytes_received: frames whose CRC was right; every byte.
        dropped_cobs, dropped_crc, dropped_length: damaged frames from the board, by what was wrong.
        dropped_version: frames of another protocol version.
        dropped_sequence: sound frames that nobody awaited, such as answers that came twice.
        retries: requests sent again, for whatever reason.
        timeouts: how often an answer did not come in time.
        gaps: how often the board said that a frame had not reached it.
        restarts: how often the board started anew in the middle.
        stream_lost: SAMPLES and PREDICTION frames that did not arrive.
    """

    frames_sent: int = 0
    bytes_sent: int = 0
    frames_received: int = 0
    bytes_received: int = 0
    dropped_cobs: int = 0
    dropped_crc: int = 0
    dropped_length: int = 0
    dropped_version: int = 0
    dropped_sequence: int = 0
    retries: int = 0
    timeouts: int = 0
    gaps: int = 0
    restarts: int = 0
    stream_lost: int = 0

    @property
    def dropped(self) -> int:
        """Damaged frames from the board, whatever was wrong."""
        return self.dropped_cobs + self.dropped_crc + self.dropped_length
