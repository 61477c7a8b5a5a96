"""Facts of the machine: its CPU, its NVIDIA GPUs, what hurts timings."""
