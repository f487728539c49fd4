"""Settings and shapes that the tests of the synthetic signs share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kd_edge.signals.simulate import SignSettings

SMALL = SignSettings(n_signs=3, n_subjects=2, n_repetitions=4, n_sessions=1, seed=11)
# Nothing but the signs: no noise, no faults, no variation between repetitions or sessions.
CLEAN = replace(
    SMALL,
    slips=0.0,
    posture_jitter_rad=0.0,
    effort_jitter=0.0,
    timing_jitter_s=0.0,
    electrode_shift_mm=0.0,
    remount_deg=0.0,
    session_gain=0.0,
    fatigue=0.0,
    tremor_deg=0.0,
    gyro_drift_deg_s=0.0,
    acc_noise_g=0.0,
    gyro_noise_deg_s=0.0,
    emg_noise_mv=0.0,
    hum_mv=0.0,
    dropout=0.0,
)


def stacked(recordings, modality: str) -> np.ndarray:
    """(recordings, sensors, samples, channels)."""
    return np.array([[s.samples for s in r.streams if s.modality == modality] for r in recordings])
