"""vitprof: what each block of a Vision Transformer costs on your device.

`import vitprof` is instant: torch and the runtimes are imported by the functions that need them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from .errors import UserError
    from .models import Block, Spec, ViTSpec, create_model, create_spec
    from .tables import LatencyTable, Prediction
    from .verbs.distill import distill
    from .verbs.evaluate import evaluate
    from .verbs.quantize import quantize
    from .verbs.train import train

# Where each public name lives; imported when it is first asked for.
_HOMES = {
    "Block": ".models",
    "LatencyTable": ".tables",
    "Prediction": ".tables",
    "Spec": ".models",
    "UserError": ".errors",
    "ViTSpec": ".models",
    "create_model": ".models",
    "create_spec": ".models",
    "distill": ".verbs.distill",
    "evaluate": ".verbs.evaluate",
    "quantize": ".verbs.quantize",
    "train": ".verbs.train",
}

__all__ = [
    "Block",
    "LatencyTable",
    "Prediction",
    "Spec",
    "UserError",
    "ViTSpec",
    "__version__",
    "create_model",
    "create_spec",
    "distill",
    "evaluate",
    "quantize",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vitprof' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
