"""From a trained Keras model to `.tflite`, checked and linted."""

FORMATS = ("float32", "float16", "dynamic", "int8", "int16x8")
