"""Weights of a file put into a library's module."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import Any

from torch import nn

from ...errors import UserError
from ...models.checkpoints import read_checkpoint


def put_weights(module: nn.Module, path: Path, title: str) -> None:
    """Put all weights of a file or folder into the module.

    Nothing in the file is executed. Raises UserError naming the first weight that does not fit.
    """
    given, needed = read_checkpoint(path).weights, module.state_dict()
    # Counters of batch norms are in some files and not in others, and play no part.
    names = [name for name in needed if not name.endswith("num_batches_tracked")]
    for name in names:
        if name not in given:
            raise UserError(f"{path} has no weight '{name}', which {title} needs; give another.")
        if given[name].shape != needed[name].shape:
            raise UserError(
                f"{path} holds '{name}' of shape {tuple(given[name].shape)}, and {title} with the "
                f"images' classes has {tuple(needed[name].shape)}; give a teacher of the same "
                "classes."
            )
    module.load_state_dict({name: given[name] for name in names}, strict=False)


def library(name: str) -> Any:
    """Return timm or torchvision.models; UserError where it cannot be imported."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except (ImportError, RuntimeError, AttributeError) as error:  # a torchvision of another torch
        words = " ".join(str(error).split())[:120]
        raise UserError(
            f"this teacher is made by {name.partition('.')[0]}, which cannot be imported here "
            f"({words}); install it beside the torch it belongs to, or give the teacher as an ONNX "
            "file."
        ) from None
