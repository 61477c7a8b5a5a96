"""The first day on a GPU: what `gpu_day.py` runs, each part in a process of its own."""
