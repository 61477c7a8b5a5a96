"""One file a command: it parses, calls a verb and prints."""
