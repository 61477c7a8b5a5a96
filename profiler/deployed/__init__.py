"""A model as it is put on a device: its latency, memory, size and accuracy."""
