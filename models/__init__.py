"""Architectures as data (torch-free) and as torch modules (torch is imported to make one)."""

from __future__ import annotations

from .block import Block
from .create import create_block, create_model
from .names import create_spec, spec_names
from .ops import AXES, IMPORTED_AXES, IMPORTED_OPS, OPS, Op, find_op
from .spec import Spec
from .vit import ViTLayer, ViTSpec

__all__ = [
    "AXES",
    "IMPORTED_AXES",
    "IMPORTED_OPS",
    "OPS",
    "Block",
    "Op",
    "Spec",
    "ViTLayer",
    "ViTSpec",
    "create_block",
    "create_model",
    "create_spec",
    "find_op",
    "spec_names",
]
