"""From settings to recordings: one batch for each sign of each subject."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kd_edge.signals.recording import Recording, Stream
from kd_edge.signals.simulate import motion, muscles, people
from kd_edge.signals.simulate.settings import SignSettings

# Full scale to both sides of zero: millivolts, g, and degrees a second at 65.5 counts each.
EMG_RANGE_MV, ACC_RANGE_G, GYR_RANGE_DEG_S = 5.5, 4.0, 32768 / 65.5

REST = "rest"
# Numbers of movements that are no signs, of rests, and of continuous recordings: behind all signs.
FIRST_UNKNOWN, FIRST_REST, FIRST_STREAM = 1000, 1100, 1200

# Sessions are days from here; only the order means something.
FIRST_DAY = datetime.datetime(2000, 1, 1, 9)


@dataclass(frozen=True)
class Planned:
    """A movement that people make.

    Attributes:
        label: of its recordings. name: of its own.
        number: of its draws; a sign's index, and behind all signs for what is none.
    """

    label: str
    name: str
    number: int


@dataclass(frozen=True, eq=False)
class _Noise:
    """Random numbers of the sensors in all repetitions of a batch; the first axis is theirs.

    Attributes:
        sizes, chances: (…, N_MUSCLES, emg samples), for `muscles.firings`.
        emg: (…, sensors, emg samples) normal. hum: (…, sensors, 3) uniform.
        acc, gyr: (…, sensors, imu samples, 3) normal.
        drift: (…, sensors, 2, 3) normal. tremor: for `motion.tremor`.
        silence: (…, sensors, 2) uniform: whether and when a sensor falls silent.
    """

    sizes: np.ndarray
    chances: np.ndarray
    emg: np.ndarray
    hum: np.ndarray
    acc: np.ndarray
    gyr: np.ndarray
    drift: np.ndarray
    tremor: np.ndarray
    silence: np.ndarray


def simulate(
    settings: SignSettings, progress: Callable[[int, int], None] | None = None
) -> list[Recording]:
    """Synthetic recordings, by subject, sign and repetition; the same for the same settings.

    Args:
        progress: called with the number of recordings made and their total.

    Returns:
        Recordings of three streams a sensor: emg (n, 1) mV, acc (n, 3) g, gyr (n, 3) deg/s.
    """
    recordings: list[Recording] = []
    for subject in range(settings.n_subjects):
        person = people.make_subject(settings, subject)
        wear = people.make_wear(settings, subject, person)
        for turn, movement in enumerate(movements(settings)):
            if movement.label == REST:
                score = people.make_rest(settings, movement.number, subject)
            else:
                score = people.make_score(settings, movement.number, subject, person)
            sensed = sense(settings, subject, movement.number, score, wear)
            recordings += [
                _recording(settings, subject, movement, turn, repetition, samples)
                for repetition, samples in enumerate(zip(*sensed, strict=True))
            ]
            if progress:
                progress(len(recordings), settings.n_recordings)
    return recordings


def movements(settings: SignSettings) -> list[Planned]:
    """What a person does in one repetition: signs, then what is no sign, then rest."""
    width = max(2, len(str(settings.n_signs)))
    planned = []
    for what, first, n in (
        ("sign", 0, settings.n_signs),
        ("unknown", FIRST_UNKNOWN, settings.n_unknown),
        (REST, FIRST_REST, settings.n_rests),
    ):
        names = [f"{what} {at + 1:0{width}d}" for at in range(n)]
        planned += [
            Planned(REST if what == REST else name, name, first + at)
            for at, name in enumerate(names)
        ]
    return planned


def sense(
    settings: SignSettings, subject: int, movement: int, score: people.Score, wear: people.Wear
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the converters give of all repetitions of a movement.

    Args:
        movement: names the sensors' noise.

    Returns:
        emg mV, acc g and gyr deg/s, each (repetitions, sensors, samples, channels) float32.
    """
    noise = _draw(settings, subject, movement)
    emg = _emg(settings, score, wear, noise)
    acc, gyr = _imu(settings, score, wear, noise)
    acc = acc + settings.acc_noise_g * noise.acc
    gyr = gyr + settings.gyro_noise_deg_s * noise.gyr + _gyro_drift(settings, noise.drift)
    emg = emg[..., None]
    for samples, rate_hz in (
        (emg, settings.emg_rate_hz),
        *((s, settings.imu_rate_hz) for s in (acc, gyr)),
    ):
        _fall_silent(settings, samples, rate_hz, noise.silence)
    bits = settings.bits
    return (
        _quantise(emg, EMG_RANGE_MV, bits),
        _quantise(acc, ACC_RANGE_G, bits),
        _quantise(gyr, GYR_RANGE_DEG_S, bits),
    )


def _draw(settings: SignSettings, subject: int, sign: int) -> _Noise:
    n, n_emg, n_imu = settings.n_sensors, settings.emg_samples, settings.imu_samples
    drawn = []
    for repetition in range(settings.n_repetitions):
        draw = people.generator(settings, "sense", subject, sign, repetition)
        drawn.append(
            (
                *muscles.firings(draw, n_emg),
                draw.standard_normal((n, n_emg), dtype=np.float32),
                draw.random((n, 3)),
                draw.standard_normal((n, n_imu, 3), dtype=np.float32),
                draw.standard_normal((n, n_imu, 3), dtype=np.float32),
                draw.standard_normal((n, 2, 3)),
                motion.tremor_draws(draw),
                draw.random((n, 2)),
            )
        )
    return _Noise(*(np.stack(part) for part in zip(*drawn, strict=True)))


def _emg(
    settings: SignSettings, score: people.Score, wear: people.Wear, noise: _Noise
) -> np.ndarray:
    """(repetitions, sensors, samples) millivolts."""
    times_s = np.arange(settings.emg_samples) / settings.emg_rate_hz
    activation, _ = motion.minimum_jerk(times_s + muscles.LEAD_S, score.knots_s, score.activations)
    activation = np.ascontiguousarray(activation.transpose(0, 2, 1), dtype=np.float32)
    hearing = muscles.pick_up(wear.sensor_angle) * wear.gain[..., None] * muscles.FULL_EFFORT_MV
    heard = muscles.surface_emg(
        settings, activation, noise.sizes, noise.chances, hearing, noise.emg
    )
    return heard + muscles.hum(settings, times_s, noise.hum)


def _imu(
    settings: SignSettings, score: people.Score, wear: people.Wear, noise: _Noise
) -> tuple[np.ndarray, np.ndarray]:
    """Specific force in g and angular rate in deg/s, each (repetitions, sensors, samples, 3)."""
    times_s = np.arange(settings.imu_samples) / settings.imu_rate_hz
    arm = motion.move_arm(times_s, score, np.radians(settings.tremor_deg), noise.tremor)
    sensed = []
    for sensor in range(settings.n_sensors):
        upper = muscles.on_upper_arm(sensor)
        attitude = arm.upper_arm if upper else arm.forearm
        acceleration = arm.elbow if upper else arm.wrist
        sensed.append(motion.sense(attitude, acceleration, wear.mounting[:, sensor]))
    acc, gyr = zip(*sensed, strict=True)
    return np.stack(acc, axis=1), np.stack(gyr, axis=1)


def _gyro_drift(settings: SignSettings, draws: np.ndarray) -> np.ndarray:
    """An offset and a slope over the recording: (repetitions, sensors, samples, 3) deg/s."""
    along = np.linspace(-0.5, 0.5, settings.imu_samples)[:, None]
    offset, slope = draws[:, :, :1], draws[:, :, 1:]
    return settings.gyro_drift_deg_s * (offset + slope * along)


def _fall_silent(
    settings: SignSettings, samples: np.ndarray, rate_hz: float, draws: np.ndarray
) -> None:
    """Set the samples of (repetitions, sensors, samples, channels) to zero where a radio fails."""
    latest_s = settings.duration_s - settings.dropout_s
    for repetition, sensor in np.argwhere(draws[..., 0] < settings.dropout):
        start_s = max(latest_s, 0.0) * draws[repetition, sensor, 1]
        first = round(start_s * rate_hz)
        last = round((start_s + settings.dropout_s) * rate_hz)
        samples[repetition, sensor, first:last] = 0.0


def lsb(full_scale: float, bits: int) -> float:
    """Units a count of a converter from -full_scale to just below full_scale."""
    return 2 * full_scale / 2**bits


def _quantise(samples: np.ndarray, full_scale: float, bits: int) -> np.ndarray:
    """What the converter gives: whole counts, clipped at its ends; float32 in the same unit."""
    step = lsb(full_scale, bits)
    counts = np.clip(np.rint(samples / step), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return (counts * step).astype(np.float32)


def name_of(settings: SignSettings, subject: int) -> str:
    """The person at an index."""
    return f"S{subject + 1:0{len(str(settings.n_subjects))}d}"


def _recording(
    settings: SignSettings,
    subject: int,
    movement: Planned,
    turn: int,
    repetition: int,
    samples: tuple[np.ndarray, ...],
) -> Recording:
    """Args: turn: its place in a repetition."""
    person = name_of(settings, subject)
    session, place = people.session_of(settings, repetition)
    started = FIRST_DAY + datetime.timedelta(days=session, seconds=600 * place + 5 * turn)
    return Recording(
        streams=streams_of(settings, *samples),
        source=f"synthetic/{person}/{movement.name}/repetition {repetition + 1:02d}",
        label=movement.label,
        subject=person,
        session=f"day {session + 1}",
        trial=place + 1,
        started=started.isoformat(),
        synthetic=True,
    )


def streams_of(
    settings: SignSettings, emg: np.ndarray, acc: np.ndarray, gyr: np.ndarray
) -> tuple[Stream, ...]:
    """The streams of one recording; each array is (sensors, samples, channels)."""
    streams = []
    for index in range(settings.n_sensors):
        sensor = f"Synthetic {index + 1:02d}"
        streams += [
            Stream(
                modality,
                sensor,
                tuple(f"{sensor}: {title}" for title in titles),
                samples[index],
                rate_hz,
                unit,
                lsb=lsb(full_scale, settings.bits),
            )
            for modality, titles, samples, rate_hz, unit, full_scale in (
                ("emg", ("EMG 1",), emg, settings.emg_rate_hz, "mV", EMG_RANGE_MV),
                ("acc", ("ACC X", "ACC Y", "ACC Z"), acc, settings.imu_rate_hz, "g", ACC_RANGE_G),
                (
                    "gyr",
                    ("GYRO X", "GYRO Y", "GYRO Z"),
                    gyr,
                    settings.imu_rate_hz,
                    "deg/s",
                    GYR_RANGE_DEG_S,
                ),
            )
        ]
    return tuple(streams)
