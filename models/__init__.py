"""Architectures as data (torch-free) and as torch modules (torch is imported to make one)."""

from __future__ import annotations

from .autovit import AutoViTSpec
from .autovit_stages import MBConvStage, TransformerStage
from .bert import BertSpec
from .block import Block
from .create import create_block, create_model
from .efficientvit import EfficientViTSpec
from .efficientvit_stage import EfficientViTStage
from .names import create_spec, spec_names
from .ops import AXES, IMPORTED_AXES, IMPORTED_OPS, OPS, Op, find_op
from .spec import Spec
from .swin import SwinSpec, SwinStage
from .vgg import VggSpec
from .vit import ViTLayer, ViTSpec

__all__ = [
    "AXES",
    "IMPORTED_AXES",
    "IMPORTED_OPS",
    "OPS",
    "AutoViTSpec",
    "BertSpec",
    "Block",
    "EfficientViTSpec",
    "EfficientViTStage",
    "MBConvStage",
    "Op",
    "Spec",
    "SwinSpec",
    "SwinStage",
    "TransformerStage",
    "VggSpec",
    "ViTLayer",
    "ViTSpec",
    "create_block",
    "create_model",
    "create_spec",
    "find_op",
    "spec_names",
]
