"""Where a model's run time goes."""
