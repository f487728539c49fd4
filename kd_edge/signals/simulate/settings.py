"""What is simulated, and how hard it is: every setting with its unit and range."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from kd_edge.base.errors import KdEdgeError


def _setting(default: float, low: float, high: float):
    return dataclasses.field(default=default, metadata={"range": (low, high)})


@dataclass(frozen=True)
class SignSettings:
    """Settings of the synthetic signs; the defaults have the size of the seeds' private set.

    The default difficulty was chosen so that the seeds' own models come near the accuracies that
    the seeds report for a random split (single teacher 92 %, student 88 to 90 %), with an unseen
    person far below (69 to 79 %). Nearness to those figures is therefore no evidence of anything.

    With one session, a smaller number of signs, subjects or repetitions gives exactly the
    recordings that a larger one begins with.

    Attributes:
        n_signs, n_subjects: classes and people.
        n_repetitions: of each sign by each subject, over all sessions.
        n_sessions: days; the repetitions are dealt out to them in order.
        n_unknown: movements that are no sign, labelled 'unknown 01' and so on, made as often.
        n_rests: recordings of the arm at rest, labelled 'rest', in each repetition.
        n_sensors: each with one sEMG channel, accelerometer and gyroscope; two of three sit on
            the forearm, the third on the upper arm.
        emg_samples, imu_samples: in one recording of each stream.
        emg_rate_hz, imu_rate_hz: 900 µs and 6.75 ms a sample by default, as the Trigno IM sensor.
        bits: of the sensor's converter, over ±5.5 mV, ±4 g and ±500 deg/s.
        seed: of everything random.
        similarity: 0 to 1, the share of a sign's postures and muscles that it has in common with
            the others of its family of five.
        subject_variation: how differently people are built, wear the sensors and sign, as a
            multiple of a plausible amount.
        slips: probability that the signer makes another sign of the family by mistake; the label
            stays, as in a real session that nobody checks.
        posture_jitter_rad: standard deviation of joint angles between repetitions.
        effort_jitter: standard deviation of the logarithm of muscle activation between repetitions.
        timing_jitter_s: standard deviation of when a movement starts, and about that of how long it
            takes.
        electrode_shift_mm: standard deviation of a sensor's place around the limb between sessions.
        remount_deg: standard deviation of a sensor's orientation between sessions.
        session_gain: standard deviation of the logarithm of a sensor's sEMG gain between sessions.
        fatigue: change of sEMG amplitude with each repetition within a session, as a fraction.
        tremor_deg: root mean square of the physiological tremor of each joint, 8 to 12 Hz.
        gyro_drift_deg_s: standard deviation of the gyroscope's offset and of its wandering.
        acc_noise_g, gyro_noise_deg_s, emg_noise_mv: root mean square of the sensors' own noise.
        hum_mv, hum_hz: typical amplitude and frequency of the mains hum in the sEMG.
        dropout, dropout_s: probability that a sensor's radio falls silent in a recording, and for
            how long; its samples are then zero.
    """

    n_signs: int = _setting(50, 1, 999)
    n_subjects: int = _setting(5, 1, 99)
    n_repetitions: int = _setting(20, 1, 999)
    n_sessions: int = _setting(2, 1, 99)
    n_unknown: int = _setting(0, 0, 99)
    n_rests: int = _setting(0, 0, 99)
    n_sensors: int = _setting(3, 1, 16)
    emg_samples: int = _setting(3000, 100, 100_000)
    imu_samples: int = _setting(400, 20, 100_000)
    emg_rate_hz: float = _setting(1e6 / 900, 1000.0, 5000.0)
    imu_rate_hz: float = _setting(1e6 / 6750, 25.0, 1000.0)
    bits: int = _setting(16, 8, 16)
    seed: int = _setting(1, 0, 2**32 - 1)
    similarity: float = _setting(0.2, 0.0, 1.0)
    subject_variation: float = _setting(1.0, 0.0, 5.0)
    slips: float = _setting(0.06, 0.0, 1.0)
    posture_jitter_rad: float = _setting(0.09, 0.0, 1.0)
    effort_jitter: float = _setting(0.2, 0.0, 2.0)
    timing_jitter_s: float = _setting(0.03, 0.0, 0.2)
    electrode_shift_mm: float = _setting(8.0, 0.0, 60.0)
    remount_deg: float = _setting(6.0, 0.0, 60.0)
    session_gain: float = _setting(0.15, 0.0, 1.0)
    fatigue: float = _setting(0.01, -0.1, 0.1)
    tremor_deg: float = _setting(0.1, 0.0, 5.0)
    gyro_drift_deg_s: float = _setting(0.5, 0.0, 50.0)
    acc_noise_g: float = _setting(0.004, 0.0, 0.5)
    gyro_noise_deg_s: float = _setting(0.3, 0.0, 50.0)
    emg_noise_mv: float = _setting(0.006, 0.0, 1.0)
    hum_mv: float = _setting(0.01, 0.0, 5.0)
    hum_hz: float = _setting(50.0, 40.0, 70.0)
    dropout: float = _setting(0.02, 0.0, 1.0)
    dropout_s: float = _setting(0.15, 0.0, 1.0)

    def __post_init__(self):
        for setting in dataclasses.fields(self):
            _check(setting, getattr(self, setting.name))
        _check_durations(self)

    @property
    def duration_s(self) -> float:
        """The time that both kinds of stream cover."""
        return min(self.emg_samples / self.emg_rate_hz, self.imu_samples / self.imu_rate_hz)

    @property
    def n_recordings(self) -> int:
        return self.n_subjects * self.n_movements * self.n_repetitions

    @property
    def n_movements(self) -> int:
        """Signs, unknown movements and rests of one repetition."""
        return self.n_signs + self.n_unknown + self.n_rests


def _check(setting: dataclasses.Field, value: object) -> None:
    low, high = setting.metadata["range"]
    kind = int if setting.type == "int" else (int, float)
    right = isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)
    if right and low <= value <= high:
        return
    name = "a whole number" if kind is int else "a number"
    raise KdEdgeError(
        "KD_RECIPE_VALUE",
        f"{setting.name} is {value!r}, and {name} from {low:g} to {high:g} was expected",
        where=f"dataset.options.{setting.name}",
        hint=f"the default is {setting.default:g}",
    )


def _check_durations(settings: SignSettings) -> None:
    emg_s = settings.emg_samples / settings.emg_rate_hz
    imu_s = settings.imu_samples / settings.imu_rate_hz
    if abs(emg_s - imu_s) <= 0.01 * imu_s and settings.duration_s >= 1:
        return
    raise KdEdgeError(
        "KD_RECIPE_VALUE",
        f"sEMG lasts {emg_s:.4g} s and motion {imu_s:.4g} s; one time of at least 1 s was expected",
        where="dataset.options.emg_samples, imu_samples",
        hint="choose samples and rates so that samples / rate agree",
    )
