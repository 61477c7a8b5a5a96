"""One model run without pause: how its latency, the clock and the temperature go over time."""
