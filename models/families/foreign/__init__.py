"""Models of no family: an ONNX file, an exported program, a module (read by `foreign/`)."""

from __future__ import annotations

from ..family import Family

FAMILY = Family(
    name="foreign",
    title="foreign model",
    package=__name__,
    spec=".spec:ForeignSpec",
    known=".spec:none_known",
    ops=".spec:no_ops",
    module=".module:ForeignModule",
    blocks=".spec:NO_BLOCKS",
)
