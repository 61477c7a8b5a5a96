"""Which images of a data set a model is tested on."""

from __future__ import annotations

from typing import Literal

# auto: the test (or val) part where there is one, else all. all: all of a set without parts. test:
# the part, or what training keeps for testing of a set without parts.
Part = Literal["auto", "all", "test"]
