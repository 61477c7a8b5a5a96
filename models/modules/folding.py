"""Batch norms folded away: what is deployed, and so what is measured."""

from __future__ import annotations

import copy
from typing import Protocol, runtime_checkable

from torch import nn


@runtime_checkable
class Folds(Protocol):
    """A module that has a cheaper equal once its weights stand still."""

    def folded(self) -> nn.Module:
        """Return it: the same outputs in eval mode, up to rounding."""


def folded(module: nn.Module) -> nn.Module:
    """Return a copy of `module` in eval mode in which every part that can is folded.

    The given module is unchanged.
    """
    return _fold(copy.deepcopy(module).eval())


def _fold(module: nn.Module) -> nn.Module:
    for name, child in module.named_children():
        setattr(module, name, _fold(child))
    return module.folded().eval() if isinstance(module, Folds) else module
