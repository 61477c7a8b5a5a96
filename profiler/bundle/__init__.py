"""Bundles: a plan with compiled artifacts, to be measured on another machine."""
