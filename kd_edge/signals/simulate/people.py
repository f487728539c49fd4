"""Who signs what: the signs, the people, their sessions, and how repetitions differ.

Every draw comes from a generator named by what it belongs to (the third sign, the second subject,
…), so that no draw depends on how many of anything there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_edge.signals.simulate.settings import SignSettings

# Shoulder azimuth, elevation and rotation, elbow flexion, forearm pronation: angle (radians) with
# the arm hanging at rest, and how widely signs spread about their family's common posture.
JOINT_REST = np.array([0.1, -0.2, 0.0, 0.5, 0.2])
JOINT_CENTRE = np.array([0.3, -0.7, 0.1, 1.5, 0.4])
JOINT_SPREAD = np.array([0.5, 0.6, 0.6, 0.8, 1.2])
N_JOINTS = len(JOINT_REST)

N_MUSCLES = 8  # six around the forearm, then two on the upper arm
N_SYNERGIES = 5
N_POSTURES = 4  # that a sign goes through between rest and rest
FAMILY_SIZE = 5
# Muscle activation of a resting arm.
REST_TONE = 0.02
# How much of the variance between signs is in where they are held, not in how they move.
PLACE_SHARE = 0.6

LIMB_CIRCUMFERENCE_MM = 250.0


@dataclass(frozen=True, eq=False)
class Sign:
    """One sign as everyone means it.

    Attributes:
        postures: (N_POSTURES, N_JOINTS) radians.
        efforts: (N_POSTURES, N_SYNERGIES) logarithms of synergy activation.
        shares: (N_POSTURES + 1,) logarithms of the relative times that the strokes take.
    """

    postures: np.ndarray
    efforts: np.ndarray
    shares: np.ndarray


@dataclass(frozen=True, eq=False)
class Subject:
    """One person's body, and where the sensors sit in the first place.

    Attributes:
        range_of_motion: factor on every excursion from rest.
        pace: logarithm of the factor on the duration of a sign.
        posture_bias: (N_JOINTS,) radians.
        synergies: (N_SYNERGIES, N_MUSCLES) weights.
        sensor_angle: (n_sensors,) radians around the limb.
        sensor_gain: (n_sensors,) logarithms.
        mounting: (n_sensors, 3) rotation vectors, radians.
    """

    range_of_motion: float
    pace: float
    posture_bias: np.ndarray
    synergies: np.ndarray
    sensor_angle: np.ndarray
    sensor_gain: np.ndarray
    mounting: np.ndarray


@dataclass(frozen=True, eq=False)
class Wear:
    """How the sensors sit in the repetitions of one sign by one subject.

    Attributes:
        sensor_angle: (n_repetitions, n_sensors) radians around the limb.
        gain: (n_repetitions, n_sensors) factors on sEMG.
        mounting: (n_repetitions, n_sensors, 3) rotation vectors, radians.
    """

    sensor_angle: np.ndarray
    gain: np.ndarray
    mounting: np.ndarray


@dataclass(frozen=True, eq=False)
class Score:
    """Repetitions of one sign by one subject: what the arm and the muscles are to do.

    The knots are rest, the postures of the sign, and rest.

    Attributes:
        knots_s: (n_repetitions, N_POSTURES + 2) ascending times.
        angles: (n_repetitions, N_POSTURES + 2, N_JOINTS) radians at the knots.
        activations: (n_repetitions, N_POSTURES + 2, N_MUSCLES) at the knots, about 0 to 1.
    """

    knots_s: np.ndarray
    angles: np.ndarray
    activations: np.ndarray


def generator(settings: SignSettings, *name: int | str) -> np.random.Generator:
    """The random generator of one named thing under the settings' seed."""
    key = [
        int.from_bytes(part.encode(), "little") if isinstance(part, str) else part for part in name
    ]
    return np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=tuple(key)))


def make_sign(settings: SignSettings, sign: int) -> Sign:
    """The sign at an index: a mixture of its family's pattern and its own."""
    family = generator(settings, "fam", sign // FAMILY_SIZE)
    own = generator(settings, "sign", sign)

    def mixed(*shape: int) -> np.ndarray:
        common, alone = family.standard_normal(shape), own.standard_normal(shape)
        return np.sqrt(settings.similarity) * common + np.sqrt(1 - settings.similarity) * alone

    def held(width: int) -> np.ndarray:
        """A sign has one place and handshape that its postures vary upon."""
        place, move = mixed(1, width), mixed(N_POSTURES, width)
        return np.sqrt(PLACE_SHARE) * place + np.sqrt(1 - PLACE_SHARE) * move

    return Sign(
        postures=JOINT_CENTRE + JOINT_SPREAD * held(N_JOINTS),
        efforts=0.8 * held(N_SYNERGIES),
        shares=0.25 * mixed(N_POSTURES + 1),
    )


def make_subject(settings: SignSettings, subject: int) -> Subject:
    """The person at an index."""
    common = generator(settings, "all").gamma(0.6, size=(N_SYNERGIES, N_MUSCLES))
    common /= common.max(axis=1, keepdims=True)
    draw = generator(settings, "subj", subject)
    vary = settings.subject_variation
    n = settings.n_sensors
    return Subject(
        range_of_motion=float(np.exp(0.12 * vary * draw.standard_normal())),
        pace=0.1 * vary * float(draw.standard_normal()),
        posture_bias=0.12 * vary * draw.standard_normal(N_JOINTS),
        synergies=common * np.exp(0.3 * vary * draw.standard_normal(common.shape)),
        sensor_angle=_places(n) + 0.25 * vary * draw.standard_normal(n),
        sensor_gain=0.3 * vary * draw.standard_normal(n),
        mounting=0.2 * vary * draw.standard_normal((n, 3)),
    )


def session_of(settings: SignSettings, repetition: int) -> tuple[int, int]:
    """Session of a repetition and its place within it, both from 0."""
    length = -(-settings.n_repetitions // settings.n_sessions)
    return repetition // length, repetition % length


def make_wear(settings: SignSettings, subject: int, person: Subject) -> Wear:
    """The sensors' places in every repetition; the same for all signs of a session."""
    angle, gain, mounting = [], [], []
    for repetition in range(settings.n_repetitions):
        session, place = session_of(settings, repetition)
        draw = generator(settings, "sess", subject, session)
        n = settings.n_sensors
        shift = settings.electrode_shift_mm / LIMB_CIRCUMFERENCE_MM * 2 * np.pi
        angle.append(person.sensor_angle + shift * draw.standard_normal(n))
        logarithm = person.sensor_gain + settings.session_gain * draw.standard_normal(n)
        gain.append(np.exp(logarithm) * (1 + settings.fatigue) ** place)
        turn = np.radians(settings.remount_deg) * draw.standard_normal((n, 3))
        mounting.append(person.mounting + turn)
    return Wear(np.array(angle), np.array(gain), np.array(mounting))


def make_score(settings: SignSettings, sign: int, subject: int, person: Subject) -> Score:
    """All repetitions of one sign by one subject."""
    draws = [
        generator(settings, "rep", subject, sign, repetition)
        for repetition in range(settings.n_repetitions)
    ]
    performed = [_slip(settings, sign, draw) for draw in draws]
    habits = {each: _habit(settings, each, subject, person) for each in set(performed)}
    varied = [
        _vary(settings, habits[each], draw) for each, draw in zip(performed, draws, strict=True)
    ]
    excursion = np.stack([one.postures for one in varied]) - JOINT_REST
    activation = np.exp([one.efforts for one in varied]) @ person.synergies / 3
    shares = np.stack([one.shares for one in varied])
    timing = np.stack([draw.standard_normal(2) for draw in draws])
    return Score(
        knots_s=_knots(settings, person, shares, timing),
        angles=_between_rests(JOINT_REST + excursion * person.range_of_motion, JOINT_REST),
        activations=_between_rests(activation, np.full(N_MUSCLES, REST_TONE)),
    )


def make_rest(settings: SignSettings, rest: int, subject: int) -> Score:
    """Repetitions of a resting arm, which is not quite still: small moves of joints and muscles."""
    draws = [
        generator(settings, "rest", subject, rest, repetition)
        for repetition in range(settings.n_repetitions)
    ]
    knots_s = np.linspace(0, settings.duration_s, N_POSTURES + 2)
    return Score(
        knots_s=np.repeat(knots_s[None], settings.n_repetitions, axis=0),
        angles=np.stack([fidget(settings, draw, len(knots_s)) for draw in draws]),
        activations=np.stack([_tone(draw, len(knots_s)) for draw in draws]),
    )


def fidget(settings: SignSettings, draw: np.random.Generator, n: int) -> np.ndarray:
    """(n, N_JOINTS) angles of a resting arm that moves a little, in rad."""
    return JOINT_REST + settings.posture_jitter_rad * draw.standard_normal((n, N_JOINTS))


def _tone(draw: np.random.Generator, n: int) -> np.ndarray:
    """(n, N_MUSCLES) activations at rest."""
    return REST_TONE * np.exp(0.5 * draw.standard_normal((n, N_MUSCLES)))


def _slip(settings: SignSettings, sign: int, draw: np.random.Generator) -> int:
    """The sign that is performed: the one meant, or by mistake another of its family."""
    chance, steps = draw.random(), draw.integers(1, FAMILY_SIZE)
    if chance >= settings.slips:
        return sign
    return sign // FAMILY_SIZE * FAMILY_SIZE + (sign + steps) % FAMILY_SIZE


def _habit(settings: SignSettings, sign: int, subject: int, person: Subject) -> Sign:
    """A sign in one subject's own way."""
    meant, style = make_sign(settings, sign), generator(settings, "style", subject, sign)
    vary = settings.subject_variation
    own = JOINT_SPREAD * style.standard_normal(meant.postures.shape)
    return Sign(
        postures=meant.postures + person.posture_bias + 0.1 * vary * own,
        efforts=meant.efforts + 0.25 * vary * style.standard_normal(meant.efforts.shape),
        shares=meant.shares + 0.1 * vary * style.standard_normal(meant.shares.shape),
    )


def _vary(settings: SignSettings, habit: Sign, draw: np.random.Generator) -> Sign:
    """One repetition of a habit."""
    posture = settings.posture_jitter_rad * draw.standard_normal(habit.postures.shape)
    effort = draw.standard_normal(habit.efforts.shape) + draw.standard_normal()
    # Strokes vary by about the jitter in seconds, as shares of about half a second each.
    stroke = 2 * settings.timing_jitter_s * draw.standard_normal(habit.shares.shape)
    return Sign(
        postures=habit.postures + posture,
        efforts=habit.efforts + settings.effort_jitter * effort,
        shares=habit.shares + stroke,
    )


def _knots(
    settings: SignSettings, person: Subject, shares: np.ndarray, timing: np.ndarray
) -> np.ndarray:
    """(n_repetitions, N_POSTURES + 2) seconds, within the recording's time."""
    duration_s = settings.duration_s
    start_s = 0.06 * duration_s + settings.timing_jitter_s * timing[:, :1]
    start_s = np.maximum(start_s, 0.02 * duration_s)
    length_s = 0.84 * duration_s * np.exp(person.pace) + settings.timing_jitter_s * timing[:, 1:]
    length_s = np.clip(length_s, 0.4 * duration_s, 0.98 * duration_s - start_s)
    ends = np.cumsum(np.exp(shares), axis=1) / np.exp(shares).sum(axis=1, keepdims=True)
    return start_s + length_s * np.concatenate([np.zeros_like(start_s), ends], axis=1)


def _between_rests(values: np.ndarray, rest: np.ndarray) -> np.ndarray:
    ends = np.broadcast_to(rest, (len(values), 1, len(rest)))
    return np.concatenate([ends, values, ends], axis=1)


def _places(n_sensors: int) -> np.ndarray:
    """Angle of each sensor around its limb: opposite sides first, then a little further round."""
    index = np.arange(n_sensors)
    return 2 * np.pi * (index / 2 + index // 3 * 0.19)
