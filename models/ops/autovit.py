"""The ops of AutoViT's hybrid of convolutions and transformers (Kong et al. 2025)."""

from __future__ import annotations

from .op import Op

OPS: tuple[Op, ...] = ()
