"""Architectures as data (torch-free) and as torch modules."""

from __future__ import annotations

from .block import Block
from .ops import AXES, OPS, Op, find_op

__all__ = ["AXES", "OPS", "Block", "Op", "find_op"]
