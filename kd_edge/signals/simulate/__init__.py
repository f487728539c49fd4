"""Synthetic Delsys-style signs: surface EMG and motion of made-up people, seeded."""

from kd_edge.signals.simulate.generate import simulate
from kd_edge.signals.simulate.settings import SignSettings

__all__ = ["SignSettings", "simulate"]
