"""What to measure (plans), how to sample, where it ran (environment), journals."""
