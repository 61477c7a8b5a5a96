"""Architectures as data (torch-free) and as torch modules (torch is imported to make one)."""

from __future__ import annotations

from .block import Block
from .create import create_block, create_model
from .families.autovit.spec import AutoViTSpec
from .families.autovit.stages import MBConvStage, TransformerStage
from .families.bert.spec import BertSpec
from .families.efficientvit.spec import EfficientViTSpec
from .families.efficientvit.stage import EfficientViTStage
from .families.family import Family
from .families.swin.spec import SwinSpec, SwinStage
from .families.vgg.spec import VggSpec
from .families.vit.spec import ViTLayer, ViTSpec
from .names import create_spec, spec_names
from .ops import AXES, IMPORTED_AXES, IMPORTED_OPS, OPS, Op, find_op, plugin_axes, plugin_ops
from .spec import Spec

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
    "Family",
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
    "plugin_axes",
    "plugin_ops",
    "spec_names",
]
