"""Finding a model under a table: spaces, supernets, objectives and search algorithms."""
