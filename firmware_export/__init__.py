"""Firmware sources from a converted model: C arrays, constants and glue for TFLite Micro."""
