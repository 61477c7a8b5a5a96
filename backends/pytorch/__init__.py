"""PyTorch on this machine's CPU."""
