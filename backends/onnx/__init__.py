"""A torch module as an ONNX model."""
