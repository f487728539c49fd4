"""Delsys Trigno's digital protocol: what client and emulated base both know.

Commands are ASCII lines on one TCP port; each is ended, and answered, by two line ends. sEMG comes
on a second port, 16 float32 a step, and everything else on a third, 144 float32 a step. A frame
lasts `FRAME INTERVAL?` seconds. Without upsampling a channel has its own number of samples in a
frame; they stand in the frame's first steps, and the others hold nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from kd_edge.signals.recording import is_rate

COMMAND_PORT = 50040
EMG_PORT = 50043
AUX_PORT = 50044

END = b"\r\n\r\n"
OK = "OK"
INVALID = "INVALID COMMAND"
CANNOT = "CANNOT COMPLETE"
SYNTHETIC = "SYNTHETIC"  # in the banner of an emulated base that streams made-up signals
YES, NO = "YES", "NO"

SLOTS = 16  # sensors, and sEMG values a step
AUX_STRIDE = 9  # other values a sensor
AUX_VALUES = SLOTS * AUX_STRIDE
VALUE_BYTES = 4
FRAME_S = 0.0135
UPSAMPLED_HZ = 2000.0
_MOST_STEPS = 10_000  # of a frame

# Unit of a channel -> modality and the names of its axes.
AXES = {
    "g": ("acc", ("ACC X", "ACC Y", "ACC Z")),
    "deg/s": ("gyr", ("GYRO X", "GYRO Y", "GYRO Z")),
    "uT": ("mag", ("MAG X", "MAG Y", "MAG Z")),
    "": ("quat", ("QUAT W", "QUAT X", "QUAT Y", "QUAT Z", "QUAT ACCURACY")),
}


@dataclass(frozen=True)
class Channel:
    """What the base says of one channel: samples a second by themselves, and a unit."""

    rate_hz: float
    unit: str


@dataclass(frozen=True)
class Sensor:
    """What the base says of one sensor.

    Attributes:
        number: 1 to 16. mode: a number of the vendor's list.
        start: its first sEMG value in a step, from 1.
        emg, aux: its channels in order.
    """

    number: int
    mode: str
    start: int
    emg: tuple[Channel, ...]
    aux: tuple[Channel, ...]


@dataclass(frozen=True)
class Layout:
    """How steps are laid out.

    Attributes:
        frame_s: seconds of a frame.
        stride: values that AUX has for a sensor.
        little: bytes come with the lowest first.

    Raises:
        ValueError: with a sentence; the numbers come from outside and do not fit together.
    """

    sensors: tuple[Sensor, ...]
    frame_s: float
    stride: int = AUX_STRIDE
    little: bool = True

    def __post_init__(self):
        if not 1e-4 <= self.frame_s <= 60:
            raise ValueError(f"a frame lasts {self.frame_s:g} s")
        taken: dict[tuple[str, int], int] = {}
        for sensor in self.sensors:
            for kind, places, most in (
                ("EMG", self.emg_places(sensor), SLOTS),
                ("AUX", self.aux_places(sensor), AUX_VALUES),
            ):
                for place in places:
                    if not 0 <= place < most:
                        raise ValueError(
                            f"{kind} of sensor {sensor.number} stands at value {place + 1} of a "
                            f"step of {most}"
                        )
                    other = taken.setdefault((kind, place), sensor.number)
                    if other != sensor.number:
                        raise ValueError(f"sensors {other} and {sensor.number} share {kind} values")
            if len(sensor.aux) > self.stride:
                raise ValueError(
                    f"sensor {sensor.number} has {len(sensor.aux)} AUX values, in steps with "
                    f"{self.stride} for each sensor"
                )
            for channel in (*sensor.emg, *sensor.aux):
                self.samples(channel)

    def emg_places(self, sensor: Sensor) -> range:
        """Places of a sensor's sEMG values in a step."""
        return range(sensor.start - 1, sensor.start - 1 + len(sensor.emg))

    def aux_places(self, sensor: Sensor) -> range:
        """Places of a sensor's other values in a step."""
        first = (sensor.start - 1) * self.stride
        return range(first, first + len(sensor.aux))

    def samples(self, channel: Channel) -> int:
        """Samples of a channel in a frame."""
        if not is_rate(channel.rate_hz):
            raise ValueError(f"a channel has {channel.rate_hz:g} samples a second")
        exact = channel.rate_hz * self.frame_s
        n = round(exact)
        if not 1 <= n <= _MOST_STEPS or abs(exact - n) > 0.01 * n:
            raise ValueError(
                f"{channel.rate_hz:g} Hz gives {exact:.3f} samples in a frame of {self.frame_s:g} s"
            )
        return n

    @property
    def emg_steps(self) -> int:
        """Steps of sEMG in a frame; 0 without any."""
        return max((self.samples(c) for s in self.sensors for c in s.emg), default=0)

    @property
    def aux_steps(self) -> int:
        return max((self.samples(c) for s in self.sensors for c in s.aux), default=0)
