"""Blocks at small dims that tests of several rooms import."""
