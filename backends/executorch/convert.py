"""A torch module as an ExecuTorch program (`.pte`)."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..no_logging import no_logging
from ..protocol import BackendError
from ..random_input import input_dtype, seeded_input
from .native_words import native_words

if TYPE_CHECKING:
    import numpy as np
    import torch

XNNPACK = "xnnpack"
# The kernels of the runtime itself: no delegate.
PORTABLE = "portable"
PROVIDERS = (XNNPACK, PORTABLE)
FP32 = "fp32"
DYNAMIC = "int8"
STATIC = "int8-static"
INT8_DTYPES = (DYNAMIC, STATIC)
DTYPES = (FP32, *INT8_DTYPES)
_MOST_CAUSES = 3


def pte_from_module(
    module: torch.nn.Module,
    input_shape: tuple[int, ...],
    dtype: str,
    provider: str,
    inputs: Sequence[np.ndarray] = (),
) -> bytes:
    """Return the program of `module` in eval mode, for one input of `input_shape`, batch included.

    Inputs and outputs stay in the caller's memory: with ExecuTorch's default a program may write
    over its input while it runs, and a second run would compute something else. In "int8-static"
    the ranges are those of `inputs`, arrays of `input_shape`, or without any those of the input
    that every point is measured on.

    Raises BackendError with the exporter's words if it cannot be exported.
    """
    import torch

    prepared = copy.deepcopy(module).eval().requires_grad_(False).to("cpu", torch.float32)
    _with_plain_strides(prepared)
    example = (torch.from_numpy(seeded_input(input_shape, input_dtype(prepared, FP32))),)
    learned = [(torch.from_numpy(values),) for values in inputs] or [example]
    try:
        with torch.no_grad(), warnings.catch_warnings(), no_logging(), native_words():
            warnings.simplefilter("ignore")
            exported = torch.export.export(prepared, example)
            if dtype in INT8_DTYPES:
                quantized = _quantized(exported.module(), learned, dynamic=dtype == DYNAMIC)
                exported = torch.export.export(quantized, example)
            return _lowered(exported, provider)
    except Exception as error:  # torch and the exporter may raise anything
        raise BackendError.because("ExecuTorch export", _with_causes(error)) from error


def _with_plain_strides(module: torch.nn.Module) -> None:
    """Give weights the strides of their shapes.

    ExecuTorch orders a tensor's dims by its strides, and those of a dim of one element may be
    anything: torch calls a tensor contiguous whose dims XNNPACK then takes in another order.
    """
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.data = tensor.data.contiguous().view(-1).view(tensor.shape)


def _with_causes(error: BaseException) -> Exception:
    """Return the error with those that it was raised from: only they name the operator."""
    words, one = [], error
    for _ in range(_MOST_CAUSES):
        words.append(" ".join(str(one).split()) or type(one).__name__)
        if one.__cause__ is None:
            break
        one = one.__cause__
    return RuntimeError(": ".join(word.rstrip(".") for word in words))


def _quantized(
    module: Any, inputs: Sequence[tuple[torch.Tensor]], *, dynamic: bool
) -> torch.nn.Module:
    """Return the module in 8-bit integers by XNNPACK's quantizer: weights a scale a channel.

    dynamic: linear layers only, ranges of what flows into them found at every run. Otherwise all
    that XNNPACK takes, with ranges learned on `inputs`.
    """
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    quantizer = XNNPACKQuantizer()
    quantizer.set_global(get_symmetric_quantization_config(is_per_channel=True, is_dynamic=dynamic))
    prepared = prepare_pt2e(module, quantizer)
    for one in inputs[:1] if dynamic else inputs:
        prepared(*one)
    return convert_pt2e(prepared)


def _lowered(exported: torch.export.ExportedProgram, provider: str) -> bytes:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import ExecutorchBackendConfig, to_edge_transform_and_lower
    from executorch.exir.passes import MemoryPlanningPass

    lowered = to_edge_transform_and_lower(
        exported, partitioner=[XnnpackPartitioner()] if provider == XNNPACK else []
    )
    plan = MemoryPlanningPass(alloc_graph_input=False, alloc_graph_output=False)
    config = ExecutorchBackendConfig(memory_planning_pass=plan)
    return bytes(lowered.to_executorch(config).buffer)
