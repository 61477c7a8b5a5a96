"""The ops of EfficientViT (Liu et al. 2023)."""

from __future__ import annotations

from .op import Op

OPS: tuple[Op, ...] = ()
