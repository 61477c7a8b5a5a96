"""AutoViT: convolutions and MobileViT blocks (Kong et al. 2025)."""
