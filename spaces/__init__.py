"""What a family's models may be: genes, the spec of each choice, and the blocks to measure."""
