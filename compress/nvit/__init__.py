"""NViT: pruning while training (Yang et al. 2023)."""
