"""EfficientViT with cascaded group attention (Liu et al. 2023)."""
