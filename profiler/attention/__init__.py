"""Fused attention against plain attention."""
