"""VGG with batch norms (Simonyan & Zisserman 2015)."""
