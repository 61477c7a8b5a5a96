"""`choose --runtimes`: its question, sources, files, log, measuring and answer."""
