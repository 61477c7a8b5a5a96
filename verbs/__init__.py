"""One function a verb: what a notebook calls and what a command calls."""
