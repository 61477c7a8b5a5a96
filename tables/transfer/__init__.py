"""A table for a new device from few measured points and the tables of others."""
