"""From a trained Keras model to `.tflite`, checked and linted."""
