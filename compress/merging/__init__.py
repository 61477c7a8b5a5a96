"""Token merging: how many tokens each layer merges."""
