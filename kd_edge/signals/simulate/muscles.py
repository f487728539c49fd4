"""Surface EMG: motor unit firings of several muscles, as a few electrodes pick them up."""

from __future__ import annotations

import numpy as np
from scipy import fft

from kd_edge.signals.simulate.people import N_MUSCLES
from kd_edge.signals.simulate.settings import SignSettings

BAND_HZ = (20.0, 450.0)
FULL_EFFORT_MV = 0.4
# Firings a second of all motor units that one electrode hears, at rest and at full effort.
FIRINGS_HZ = (60.0, 700.0)
# How sharply an electrode's sensitivity falls with the angle between it and a muscle.
SELECTIVITY = 2.0
# How much earlier than the movement a muscle is active.
LEAD_S = 0.06

FOREARM_MUSCLES = N_MUSCLES - 2
MUSCLE_ANGLES = np.concatenate(
    [2 * np.pi * np.arange(FOREARM_MUSCLES) / FOREARM_MUSCLES, [0.0, np.pi]]
)


def on_upper_arm(sensor: int) -> bool:
    """Whether a sensor sits on the upper arm: every third does."""
    return sensor % 3 == 2


def pick_up(sensor_angle: np.ndarray) -> np.ndarray:
    """How strongly each sensor hears each muscle.

    Args:
        sensor_angle: (repetitions, sensors) rad around the limb.

    Returns:
        (repetitions, sensors, N_MUSCLES), 1 for a muscle right below; 0 for one of the other limb.
    """
    sensors = np.arange(sensor_angle.shape[1])
    same_limb = on_upper_arm(sensors)[:, None] == (np.arange(N_MUSCLES) >= FOREARM_MUSCLES)
    apart = np.cos(sensor_angle[:, :, None] - MUSCLE_ANGLES)
    return np.exp(SELECTIVITY * (apart - 1)) * same_limb


def spectrum_shape(frequencies_hz: np.ndarray) -> np.ndarray:
    """Amplitude spectrum of surface EMG at (n,) Hz, limited to 20 to 450 Hz: (n,), unscaled.

    P(f) = f_h⁴ f² / ((f² + f_l²) (f² + f_h²)²) with f_l = 60 Hz and f_h = 120 Hz, Shwedyk,
    Balasubramanian & Scott, IEEE Trans. Biomed. Eng. 24(5), 1977.
    """
    low, high = 60.0, 120.0
    f2 = frequencies_hz**2
    power = high**4 * f2 / ((f2 + low**2) * (f2 + high**2) ** 2)
    edges = 1 / (1 + (BAND_HZ[0] / np.maximum(frequencies_hz, 1e-3)) ** 8)
    edges /= 1 + (frequencies_hz / BAND_HZ[1]) ** 40
    return np.sqrt(power * edges)


def firings(draw: np.random.Generator, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Random numbers of one repetition's muscles: sizes, and when motor units fire.

    Returns:
        normal and uniform numbers, each (N_MUSCLES, n_samples) float32.
    """
    shape = (N_MUSCLES, n_samples)
    return draw.standard_normal(shape, dtype=np.float32), draw.random(shape, dtype=np.float32)


def surface_emg(
    settings: SignSettings,
    activation: np.ndarray,
    sizes: np.ndarray,
    chances: np.ndarray,
    hearing: np.ndarray,
    noise: np.ndarray,
) -> np.ndarray:
    """What the electrodes measure, without hum.

    Each muscle is a train of impulses of random size, denser and larger with activation, so that a
    weak contraction is spiky and a strong one noise-like; the shape of a motor unit's action
    potential is that of the spectrum. The sensors' own noise passes the same band.

    Args:
        activation, sizes, chances: (repetitions, N_MUSCLES, samples).
        hearing: (repetitions, sensors, N_MUSCLES) millivolts at full effort.
        noise: (repetitions, sensors, samples), standard normal.

    Returns:
        (repetitions, sensors, samples) millivolts.
    """
    rest, full = FIRINGS_HZ
    density = (rest + (full - rest) * np.minimum(activation, 1.0)) / settings.emg_rate_hz
    impulses = np.where(chances < density, sizes * (activation / np.sqrt(density)), np.float32(0))
    heard = hearing.astype(np.float32) @ impulses
    return shape_spectrum(settings, heard) + settings.emg_noise_mv * shape_spectrum(settings, noise)


def shape_spectrum(settings: SignSettings, white: np.ndarray) -> np.ndarray:
    """Give white noise, (…, samples), the spectrum of surface EMG; its power stays."""
    n = white.shape[-1]
    length = fft.next_fast_len(n + 128, real=True)
    shape = spectrum_shape(fft.rfftfreq(length, 1 / settings.emg_rate_hz))
    shape /= np.sqrt(np.mean(shape**2))
    spectrum = fft.rfft(white, length, axis=-1) * shape.astype(np.float32)
    return fft.irfft(spectrum, length, axis=-1)[..., :n]


def hum(settings: SignSettings, times_s: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Mains hum with its third harmonic, of random strength and phase at each sensor.

    Args:
        draws: (repetitions, sensors, 3) uniform in 0 to 1.

    Returns:
        (repetitions, sensors, samples) millivolts.
    """
    strength = settings.hum_mv * 2 * draws[..., :1]
    turns = 2 * np.pi * settings.hum_hz * times_s
    base = np.sin(turns + 2 * np.pi * draws[..., 1:2])
    return strength * (base + 0.2 * np.sin(3 * turns + 2 * np.pi * draws[..., 2:3]))
