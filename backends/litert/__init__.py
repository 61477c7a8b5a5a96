"""LiteRT (TensorFlow Lite): `.tflite` models, run by XNNPACK."""
