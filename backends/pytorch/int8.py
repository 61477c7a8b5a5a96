"""A torch module in 8-bit integers, by torchao: weights a scale a row, activations at every run."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ..machine.cpu_info import has_int8_products
from ..no_logging import no_logging
from ..protocol import BackendError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn


INT8 = "int8"


def int8_module(module: nn.Module) -> nn.Module:
    """Return a copy of the module, in eval mode, whose linear layers compute in int8.

    All else stays in fp32. What `torch.save` writes of its state dict, `with_weights_of` reads.
    Raises UserError without torchao, BackendError with its words where it cannot quantize.
    """
    config = _config()
    quantize_ = import_torchao().quantize_
    quantized = copy.deepcopy(module).eval().requires_grad_(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            quantize_(quantized, config)
    except Exception as error:  # anything that torchao raises
        raise BackendError.because("quantizing to int8", error) from error
    return quantized


def with_weights_of(module: nn.Module, file: Path, int8: bool) -> nn.Module:
    """Return the module, in eval mode, with the weights that `torch.save` wrote of such a one.

    int8: whether they are. Nothing in the file is executed. Raises UserError for int8 without
    torchao, BackendError for a file that is damaged or of another module.
    """
    import torch

    if int8:
        import_torchao()  # what its tensors are, torch.load has to know
    try:
        weights = torch.load(file, weights_only=True, map_location="cpu")
        module.load_state_dict(weights, assign=True)
    except Exception as error:  # a damaged file may raise anything
        raise BackendError.because(f"reading {file.name}", error) from error
    return module.eval().requires_grad_(False)


def import_torchao() -> Any:
    """Return `torchao.quantization`; raises UserError where it is not installed."""
    try:
        # It says which of its kernels for GPUs cannot be loaded, and more.
        with warnings.catch_warnings(), no_logging():
            warnings.simplefilter("ignore")
            from torchao import quantization
    except ImportError:
        raise UserError(
            "int8 in PyTorch needs torchao, which is not installed: pip install 'vitprof[int8]'."
        ) from None
    return quantization


def _config() -> Any:
    # Its defaults for the compiler are of no use to a module that is not compiled, and global.
    return import_torchao().Int8DynamicActivationInt8WeightConfig(
        set_inductor_config=False, reduce_range=not has_int8_products()
    )
