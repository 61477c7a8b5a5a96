"""From what a user names to the spec of a foreign model."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import UserError
from ..models.families.foreign.spec import ForeignSpec
from .graph_spec import GraphSource, spec_of_source
from .shapes import Shapes
from .sources.onnx_source import OnnxSource

_PYTHON = re.compile(r"(.+\.py):([A-Za-z_]\w*)")
_LIBRARIES = ("timm", "hf", "torchvision")


def is_foreign(text: str) -> bool:
    """Whether a text names a foreign model: a file, or a library's model."""
    kind = text.partition(":")[0]
    return (
        Path(text).suffix in {".onnx", ".pt2"}
        or (kind in _LIBRARIES and ":" in text)
        or _PYTHON.fullmatch(text) is not None
    )


def open_model(text: str, shapes: Shapes | None = None, batch: int = 1) -> ForeignSpec:
    """Return the spec of `x.onnx`, `x.pt2`, `timm:NAME`, `hf:ID`, `torchvision:NAME`, `x.py:make`.

    Raises UserError, in one sentence, for a model that cannot be read, made or exported.
    """
    return spec_of_source(_source(text, shapes, batch), _name(text))


def _source(text: str, shapes: Shapes | None, batch: int) -> GraphSource:
    path = Path(text)
    if path.suffix == ".onnx":
        return OnnxSource(path, shapes)
    if path.suffix == ".pt2":
        from .sources.exported_program import exported_source

        return exported_source(path, shapes, batch)
    in_python = _PYTHON.fullmatch(text)
    if in_python:
        from .sources.python_source import python_source

        return python_source(Path(in_python[1]), in_python[2], shapes, batch)
    kind, _, name = text.partition(":")
    from .sources.made_modules import hugging_face_source, timm_source, torchvision_source

    make = {"timm": timm_source, "hf": hugging_face_source, "torchvision": torchvision_source}
    if kind not in make or not name:
        raise UserError(f"'{text}' names no model; write timm:NAME, hf:ID or torchvision:NAME.")
    return make[kind](name, shapes, batch)


def _name(text: str) -> str:
    in_python = _PYTHON.fullmatch(text)
    name = in_python[2] if in_python else text
    if Path(text).suffix in {".onnx", ".pt2"}:
        name = Path(text).stem
    return name if name.isprintable() and name else "custom"
