"""A machine whose truth is known: its speed wanders by script, and time passes only in it."""
