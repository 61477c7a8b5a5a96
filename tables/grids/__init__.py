"""The measured points of an op as grids, and interpolation between them."""
