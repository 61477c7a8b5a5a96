"""PyTorch on an NVIDIA GPU."""
