"""One model by every runtime that is here, each in a process of its own, run in turns."""
