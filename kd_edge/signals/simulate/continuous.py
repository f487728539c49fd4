"""Continuous recordings: signs, movements that are no signs, and rest, in one piece."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from kd_edge.signals.recording import Recording
from kd_edge.signals.simulate import people
from kd_edge.signals.simulate.generate import (
    FIRST_STREAM,
    REST,
    movements,
    name_of,
    sense,
    streams_of,
)
from kd_edge.signals.simulate.settings import SignSettings


@dataclass(frozen=True)
class Movement:
    """What one person does from `start_s` to `end_s` of a recording.

    Attributes:
        label: as a recording of it would have: a sign's, 'unknown 01' and so on, or 'rest'.
    """

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True, eq=False)
class Continuous:
    """A recording without a label of its own, and what happens in it from start to end."""

    recording: Recording
    movements: tuple[Movement, ...]


def simulate_stream(
    settings: SignSettings,
    subject: int,
    *,
    number: int = 0,
    n_movements: int = 12,
    pause_s: tuple[float, float] = (1.0, 4.0),
) -> Continuous:
    """One person's movements in a random order, with rest before, between and behind them.

    Signs and the settings' unknown movements come alike often, none of them as in `simulate`. The
    person wears the sensors as in the last session.

    Args:
        subject: index of the person. number: of the recording, from 0; each has draws of its own.
        pause_s: least and most rest between two movements, in seconds.

    Raises:
        KdEdgeError KD_RECIPE_VALUE: it is longer than `SignSettings.emg_samples` may be.
    """
    draw = people.generator(settings, "stream", subject, number)
    person = people.make_subject(settings, subject)
    score, happened = _plan(settings, subject, person, draw, number, n_movements, pause_s)
    end_s = happened[-1].end_s
    lasting = dataclasses.replace(
        settings,
        n_repetitions=1,
        emg_samples=int(end_s * settings.emg_rate_hz),
        imu_samples=int(end_s * settings.imu_rate_hz),
    )
    wear = people.make_wear(settings, subject, person)
    worn = people.Wear(*(part[-1:] for part in (wear.sensor_angle, wear.gain, wear.mounting)))
    sensed = sense(lasting, subject, FIRST_STREAM + number, score, worn)
    who = name_of(settings, subject)
    session, _ = people.session_of(settings, settings.n_repetitions - 1)
    recording = Recording(
        streams=streams_of(settings, *(samples[0] for samples in sensed)),
        source=f"synthetic/{who}/stream {number + 1:02d}",
        label=None,
        subject=who,
        session=f"day {session + 1}",
        trial=number,
        synthetic=True,
    )
    return Continuous(recording, happened)


def _plan(
    settings: SignSettings,
    subject: int,
    person: people.Subject,
    draw: np.random.Generator,
    number: int,
    n_movements: int,
    pause_s: tuple[float, float],
) -> tuple[people.Score, tuple[Movement, ...]]:
    """The score of the whole recording, as one repetition, and what happens in it."""
    made = [each for each in movements(settings) if each.label != REST]
    rounds = [draw.permutation(len(made)) for _ in range(-(-n_movements // len(made)))]
    first = settings.n_repetitions + number * n_movements
    anew = dataclasses.replace(settings, n_repetitions=first + n_movements)
    knots, angles, tones, happened = [], [], [], []
    now_s = 0.0
    for place, at in enumerate(np.concatenate(rounds)[:n_movements]):
        start_s = now_s + float(draw.uniform(*pause_s))
        happened.append(Movement(now_s, start_s, REST))
        knots.append([(now_s + start_s) / 2])
        angles.append(people.fidget(settings, draw, 1))
        tones.append(np.full((1, people.N_MUSCLES), people.REST_TONE))
        score = people.make_score(anew, made[at].number, subject, person)
        own_s = score.knots_s[first + place]
        knots.append(own_s - own_s[0] + start_s)
        angles.append(score.angles[first + place])
        tones.append(score.activations[first + place])
        now_s = float(knots[-1][-1])
        happened.append(Movement(start_s, now_s, made[at].label))
    happened.append(Movement(now_s, now_s + float(draw.uniform(*pause_s)), REST))
    whole = people.Score(*(np.concatenate(part)[None] for part in (knots, angles, tones)))
    return whole, tuple(happened)
