"""A model to learn from as its origin opens it, before it is fitted to a student's images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from .preprocessing import Preprocessing


@dataclass(frozen=True)
class Opened:
    """A module from images as `wanted` says, n x channels x side x side, to logits n x classes.

    title: what it is, for messages; names: those of its classes, None where nothing says them.
    made_by: all that decides its answers beside its weights, as text.
    """

    module: nn.Module
    title: str
    wanted: Preprocessing
    classes: int
    made_by: str
    channels: int = 3
    names: Sequence[str] | None = None
