"""Who says how accurate a candidate is."""
