"""Attention heads removed level by level."""
