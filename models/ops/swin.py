"""The ops of the Swin Transformer (Liu et al. 2021) that a plain ViT has not."""

from __future__ import annotations

from .op import Op

OPS: tuple[Op, ...] = ()
