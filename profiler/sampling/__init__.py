"""How points are sampled: the protocol, timed runs, the reference, statistics, the verdict."""
