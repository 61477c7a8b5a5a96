"""Supernets: one set of weights for all models of a space."""
