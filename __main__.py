"""`python -m vitprof`."""

from .cli.main import main

main()
