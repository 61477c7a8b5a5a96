"""A torch module as the bytes of an ONNX model."""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ..protocol import BackendError
from ..random_input import input_dtype, seeded_input

if TYPE_CHECKING:
    import torch

# Those that numpy, and so the tensors of an ONNX file, can hold.
EXPORTED_DTYPES = ("fp32", "fp16")
# The first opset with LayerNormalization as one node, and the one ONNX Runtime's fusions know best.
OPSET = 17


def onnx_from_module(
    module: torch.nn.Module,
    input_shape: tuple[int, ...],
    dtype: str = "fp32",
    name: str = "input",
    further: Mapping[str, int] | None = None,
    fold: bool = False,
) -> bytes:
    """Return the ONNX model of `module` in eval mode, with weights and activations in `dtype`.

    `input_shape` includes the batch and is fixed in the graph. The tensors are called `name` and
    `output`. further: inputs of the same shape and type that the module takes after it, by name,
    each with a number that may stand there. fold: store weights as the products take them, which a
    quantizer needs. The caller's module keeps its mode, dtype and device.
    The same module gives the same bytes.

    The TorchScript exporter is used on purpose: it takes tens of milliseconds a block where the
    newer one takes seconds.

    Raises UserError for a dtype other than fp32 and fp16, BackendError if torch cannot export.
    """
    import torch

    if dtype not in EXPORTED_DTYPES:
        raise UserError(
            f"dtype '{dtype}' cannot be exported to ONNX; use one of {', '.join(EXPORTED_DTYPES)}."
        )
    # torch takes a file-like object here, though its annotation has only paths.
    buffer: Any = io.BytesIO()
    try:
        exported = copy.deepcopy(module).eval().requires_grad_(False)
        exported.to(device="cpu", dtype=torch.float16 if dtype == "fp16" else torch.float32)
        example = torch.from_numpy(seeded_input(input_shape, input_dtype(module, dtype)))
        others = [torch.full_like(example, value) for value in (further or {}).values()]
        with torch.no_grad(), warnings.catch_warnings():
            # That this exporter is the older one, and that shapes are traced as constants, is
            # known and wanted; neither is news to the user.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                exported,
                (example, *others),
                buffer,
                input_names=[name, *(further or {})],
                output_names=["output"],
                opset_version=OPSET,
                dynamo=False,
                # The runtime folds constants anyway when it loads the model, in a tenth of the
                # time that torch takes to transpose the weights of a whole model.
                do_constant_folding=fold,
            )
    except Exception as error:
        # For anything that torch raises here, the point cannot be compiled and its row says so.
        raise BackendError.because("ONNX export", error) from error
    return buffer.getvalue()
