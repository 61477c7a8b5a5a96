"""What of a plan is to be refined."""

from __future__ import annotations

from dataclasses import dataclass

from ..spaces.slabs import MeasuringSpace
from ..tables.row import Context


@dataclass(frozen=True)
class Refinement:
    """A space that is refined up to so many `points`, its blocks measured in `context`."""

    space: MeasuringSpace
    points: int
    context: Context
