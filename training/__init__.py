"""Training and evaluation: images, augmentations, one loop, losses. No tables, no backends."""
