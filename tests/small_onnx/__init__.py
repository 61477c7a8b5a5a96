"""Small ONNX graphs and foreign models that tests of several rooms import."""
