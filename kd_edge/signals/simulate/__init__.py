"""Synthetic Delsys-style signs: surface EMG and motion of made-up people, seeded."""

from kd_edge.signals.simulate.continuous import Continuous, Movement, simulate_stream
from kd_edge.signals.simulate.generate import simulate
from kd_edge.signals.simulate.settings import SignSettings

__all__ = ["Continuous", "Movement", "SignSettings", "simulate", "simulate_stream"]
