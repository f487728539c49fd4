"""Motion of the arm, and what accelerometers and gyroscopes on it measure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_edge.signals.simulate.people import N_JOINTS, Score

GRAVITY_M_S2 = 9.80665
UPPER_ARM_M = np.array([0.0, 0.0, -0.3])
FOREARM_M = np.array([0.0, 0.0, -0.22])
TREMOR_HZ = (8.0, 12.0)

# The axis that each joint turns about, and the segment that it moves: the first three turn the
# upper arm, the last two the forearm against it.
JOINT_AXES = (2, 1, 2, 1, 2)
UPPER_ARM_JOINTS = 3


@dataclass(frozen=True, eq=False)
class Attitude:
    """Orientation of a body over time, and how fast it turns.

    Attributes:
        matrix: (repetitions, samples, 3, 3), from the body's axes to the world's; z is up.
        rate: (repetitions, samples, 3) radians a second about the body's own axes.
    """

    matrix: np.ndarray
    rate: np.ndarray


@dataclass(frozen=True, eq=False)
class ArmMotion:
    """Both segments of the arm; the sensors sit at their far ends.

    Attributes:
        upper_arm, forearm: attitudes.
        elbow, wrist: (repetitions, samples, 3) metres a second squared in the world's axes.
    """

    upper_arm: Attitude
    forearm: Attitude
    elbow: np.ndarray
    wrist: np.ndarray


def minimum_jerk(
    times_s: np.ndarray, knots_s: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Move from knot to knot and pause at each, by the minimum-jerk law.

    x(u) = x0 + (x1 - x0) (10 u³ - 15 u⁴ + 6 u⁵), Flash & Hogan, J. Neurosci. 5(7), 1985; the value
    stands still before the first knot and after the last.

    Args:
        times_s: (samples,). knots_s: (repetitions, knots) ascending.
        values: (repetitions, knots, quantities).

    Returns:
        value and its derivative by time, each (repetitions, samples, quantities).
    """
    segment = (times_s[None, :, None] >= knots_s[:, None, 1:-1]).sum(axis=2)
    row = np.arange(len(knots_s))[:, None]
    start, end = knots_s[row, segment], knots_s[row, segment + 1]
    u = np.clip((times_s - start) / (end - start), 0.0, 1.0)
    travel = values[row, segment + 1] - values[row, segment]
    along = u**3 * (10 - 15 * u + 6 * u**2)
    speed = 30 * (u * (1 - u)) ** 2 / (end - start)
    return values[row, segment] + travel * along[..., None], travel * speed[..., None]


def tremor(
    times_s: np.ndarray, tremor_rad: float, draws: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Three sinusoids a joint between 8 and 12 Hz, of random frequency and phase.

    Args:
        draws: (repetitions, N_JOINTS, 3, 2) uniform in 0 to 1.

    Returns:
        angle and rate, each (repetitions, samples, N_JOINTS), of root mean square `tremor_rad`.
    """
    low, high = TREMOR_HZ
    angle = np.zeros((len(draws), len(times_s), N_JOINTS))
    rate = np.zeros_like(angle)
    for term in range(draws.shape[2]):
        turns = 2 * np.pi * (low + (high - low) * draws[:, None, :, term, 0])
        phase = turns * times_s[:, None] + 2 * np.pi * draws[:, None, :, term, 1]
        amplitude = tremor_rad * np.sqrt(2 / draws.shape[2])
        angle += amplitude * np.sin(phase)
        rate += amplitude * turns * np.cos(phase)
    return angle, rate


def tremor_draws(draw: np.random.Generator) -> np.ndarray:
    """What `tremor` needs for one repetition: (N_JOINTS, 3, 2) of 0 to 1."""
    return draw.random((N_JOINTS, 3, 2))


def move_arm(
    times_s: np.ndarray, score: Score, tremor_rad: float, tremors: np.ndarray
) -> ArmMotion:
    """The arm's motion at the given times, (samples,) seconds, for every repetition of a score."""
    angles, rates = minimum_jerk(times_s, score.knots_s, score.angles)
    shake, shake_rate = tremor(times_s, tremor_rad, tremors)
    angles, rates = angles + shake, rates + shake_rate
    attitude = Attitude(
        np.broadcast_to(np.eye(3), (*angles.shape[:2], 3, 3)), np.zeros((*angles.shape[:2], 3))
    )
    for joint in range(UPPER_ARM_JOINTS):
        attitude = _turn(attitude, JOINT_AXES[joint], angles[..., joint], rates[..., joint])
    upper_arm = attitude
    for joint in range(UPPER_ARM_JOINTS, N_JOINTS):
        attitude = _turn(attitude, JOINT_AXES[joint], angles[..., joint], rates[..., joint])
    elbow = upper_arm.matrix @ UPPER_ARM_M
    wrist = elbow + attitude.matrix @ FOREARM_M
    return ArmMotion(upper_arm, attitude, _second(elbow, times_s), _second(wrist, times_s))


def sense(
    attitude: Attitude, acceleration: np.ndarray, mounting: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What a sensor on a segment measures.

    Args:
        acceleration: (repetitions, samples, 3) metres a second squared in the world's axes.
        mounting: (repetitions, 3) rotation vectors from the sensor's axes to the segment's.

    Returns:
        specific force in g (+1 upwards at rest) and angular rate in deg/s, each
        (repetitions, samples, 3) in the sensor's axes.
    """
    from scipy.spatial.transform import Rotation

    mount = Rotation.from_rotvec(mounting).as_matrix()
    force = acceleration / GRAVITY_M_S2 + np.array([0.0, 0.0, 1.0])
    in_segment = np.einsum("rtij,rti->rtj", attitude.matrix, force)
    return in_segment @ mount, np.degrees(attitude.rate) @ mount


def _turn(attitude: Attitude, axis: int, angle: np.ndarray, rate: np.ndarray) -> Attitude:
    """Turn a body about one of its own axes: R' = R Q(angle), w' = Qᵀ w + rate * axis."""
    a, b = (axis + 1) % 3, (axis + 2) % 3
    cos, sin = np.cos(angle), np.sin(angle)
    matrix, turning = attitude.matrix.copy(), attitude.rate.copy()
    left, right = attitude.matrix[..., a], attitude.matrix[..., b]
    matrix[..., a] = cos[..., None] * left + sin[..., None] * right
    matrix[..., b] = cos[..., None] * right - sin[..., None] * left
    turning[..., a] = cos * attitude.rate[..., a] + sin * attitude.rate[..., b]
    turning[..., b] = cos * attitude.rate[..., b] - sin * attitude.rate[..., a]
    turning[..., axis] += rate
    return Attitude(matrix, turning)


def _second(positions: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Second derivative by time of (repetitions, samples, 3), by central differences."""
    step = times_s[1] - times_s[0]
    inner = (positions[:, 2:] - 2 * positions[:, 1:-1] + positions[:, :-2]) / step**2
    return np.concatenate([inner[:, :1], inner, inner[:, -1:]], axis=1)
