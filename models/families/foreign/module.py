"""The torch module of a foreign model, where there is one."""

from __future__ import annotations

from typing import Any

from ....errors import UserError
from .spec import ForeignSpec


class ForeignModule:
    """Stands for the module's class of a family; making one gives the source's own module."""

    def __new__(cls, spec: ForeignSpec) -> Any:
        module = None if spec.source is None else spec.source.module()
        if module is None:
            raise UserError(
                f"{spec.name} is a graph, not a PyTorch module; give the module (timm:NAME, hf:ID, "
                "torchvision:NAME, FILE.py:FUNCTION or a .pt2 file) where one is needed."
            )
        return module
