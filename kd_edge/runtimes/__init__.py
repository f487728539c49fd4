"""Runtimes: what runs a `.tflite` here, all behind one small interface."""
