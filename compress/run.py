"""What every way of pruning has in common once it is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from torch import nn

from ..models import Spec
from ..training.saved_run import SavedRun
from .nvit.redistribution import Sensitivity
from .targets import Target

if TYPE_CHECKING:
    from .nvit.nvit import Work


class PruningRun(Protocol):
    """A model that was pruned to several targets: `model` and `spec` are the unpruned one's."""

    model: nn.Module
    work: Work
    sensitivities: list[Sensitivity]
    saved: SavedRun

    @property
    def targets(self) -> Sequence[Target]: ...

    @property
    def spec(self) -> Spec: ...
