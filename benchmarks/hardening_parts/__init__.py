"""The parts of the hardening campaign: `benchmarks/hardening.py`."""
