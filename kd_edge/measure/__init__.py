"""Measuring: size, operations, arena, latency, and accuracy with intervals."""
