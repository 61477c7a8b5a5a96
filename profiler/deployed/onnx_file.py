"""The ONNX file of a model, as the runtime of a table takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...backends.onnx.export import EXPORTED_DTYPES, onnx_from_module
from ...models.modules.folding import folded
from ...training.fit import takes_texts

if TYPE_CHECKING:
    from torch import nn

    from ...tables import LatencyTable


def onnx_of(model: nn.Module, table: LatencyTable) -> bytes:
    """Return the ONNX file of a model with a spec, at the table's batch and number format."""
    from ...models.modules.spec_model import spec_of

    spec = spec_of(model)
    dtype = table.setting.dtype if table.setting.dtype in EXPORTED_DTYPES else "fp32"
    shape = (table.setting.batch, *spec.blocks()[0].input_shape)
    alone = folded(model.cpu().eval())
    if not takes_texts(spec):
        return onnx_from_module(alone, shape, dtype)
    # Hugging Face's names, so that what feeds its models feeds this one.
    further = {"token_type_ids": 0, "attention_mask": 1}
    return onnx_from_module(alone, shape, dtype, "input_ids", further)
