"""How far a table can be trusted."""
