"""From the sum of blocks to a whole model."""
