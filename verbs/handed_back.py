"""What a model made from timm's or Hugging Face's weights has beside it, for use without us."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ..atomic_write import write_atomically
from ..notes import warn

if TYPE_CHECKING:
    from torch import nn

    from ..models import Spec

PROGRAM, LOADER, ORIGINS, ONNX = "model.pt2", "load.py", "weights_origin.json", "model.onnx"

# Printed too, so it stays short. It must need torch alone.
_LOADER = '''"""Load {name} with torch alone: python load.py, or `from load import load`."""
from pathlib import Path

import torch


def load(folder=Path(__file__).parent):
    return torch.export.load(Path(folder) / "{program}").module()


if __name__ == "__main__":
    print(load()(torch.zeros({shape}{dtype})).shape)
'''


def is_foreign(weights: Path | None) -> bool:
    """Whether weights come from elsewhere: what we write has a spec.json beside it."""
    if weights is None:
        return False
    return not ((weights if weights.is_dir() else weights.parent) / "spec.json").is_file()


def hand_back(model: nn.Module, folder: Path, source: Path | None = None) -> str | None:
    """Write what a model is used with in other programs; return the loader.

    model.onnx (unless it is there), model.pt2 and load.py, which need ONNX Runtime and torch, and
    weights_origin.json: the names in the source's checkpoint by the names in model.safetensors.
    source: where the weights came from, None where that is not known or they are new. A model that
    torch cannot export has no loader, with a warning.
    """
    from ..backends.onnx.export import onnx_from_module
    from ..backends.protocol import BackendError
    from ..backends.pytorch.portable import portable_program
    from ..models.modules.folding import folded
    from ..models.modules.spec_model import spec_of

    spec = spec_of(model)
    shape = spec.blocks()[0].input_shape
    if source is not None:
        _write_origins(model, spec, folder, source)
    try:
        if not (folder / ONNX).is_file():
            write_atomically(folder / ONNX, onnx_from_module(folded(model), (1, *shape)))
        write_atomically(folder / PROGRAM, portable_program(model, shape))
    except BackendError as error:
        warn(f"warning: {spec.name} is written without {PROGRAM}: {error}")
        return None
    loader = _loader(spec)
    write_atomically(folder / LOADER, loader)
    return loader


def _write_origins(model: nn.Module, spec: Spec, folder: Path, source: Path) -> None:
    from ..models.weight_origins import weight_origins

    origins = weight_origins(source, spec.family)
    record = {
        "source": str(source),
        "made_of": {name: origins[name] for name in model.state_dict() if name in origins},
    }
    write_atomically(folder / ORIGINS, json.dumps(record, indent=2) + "\n")


def _loader(spec: Spec) -> str:
    from ..models.families.registry import find_family

    texts = find_family(spec.family).takes == "texts"
    return _LOADER.format(
        name=spec.name,
        program=PROGRAM,
        shape=", ".join(str(size) for size in (1, *spec.blocks()[0].input_shape)),
        dtype=", dtype=torch.int64" if texts else "",
    )
