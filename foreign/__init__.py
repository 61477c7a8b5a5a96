"""Models of no family: reading their graphs, and finding in them what a table can price."""
