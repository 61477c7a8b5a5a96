"""What each choice of an architecture costs by a table."""
