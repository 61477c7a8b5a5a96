"""Which part of a larger model's weights a smaller one has."""
