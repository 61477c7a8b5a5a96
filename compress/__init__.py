"""Making a model cheaper under a table: pruning, 2:4 masks. Knows no backends."""
