"""What can be taken out of a model, and where it lies in its weights."""
