"""What both packages need: errors, files, the .tflite reader, the wire, frozen value types."""
