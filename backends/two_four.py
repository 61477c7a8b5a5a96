"""2:4 sparse weights: the mask, and which layers' dims a library of sparse kernels takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch
    from torch import nn

Library = Literal["cutlass", "cusparselt", "tensorrt"]

_TITLES = {"cutlass": "CUTLASS", "cusparselt": "cuSPARSELt", "tensorrt": "TensorRT"}

# What (outputs, inputs) of a weight have to be multiples of, for each dtype a library has 2:4
# kernels for: torch's own limits for `to_sparse_semi_structured`, and for TensorRT those of
# NVIDIA's pruning tool (ASP).
_MULTIPLES: dict[str, dict[str, tuple[int, int]]] = {
    "cutlass": {"int8": (16, 128), "fp16": (32, 64), "bf16": (32, 64), "fp32": (32, 32)},
    "cusparselt": {"int8": (32, 32), "fp16": (16, 16), "bf16": (16, 16), "fp8": (32, 32)},
    "tensorrt": dict.fromkeys(("int8", "fp16", "bf16", "fp32", "fp8"), (8, 16)),
}

# What the number of rows of the dense operand has to be a multiple of, in PyTorch.
DENSE_OPERAND_MULTIPLE = {"int8": 16, "fp16": 8, "bf16": 8, "fp32": 4}


def eligible(out_features: int, in_features: int, dtype: str, library: Library) -> str | None:
    """Return None if `library` takes a 2:4 weight of these dims in `dtype`, otherwise why not.

    The reason is the rest of a sentence about the layer, without a full stop.
    """
    title, multiples = _TITLES[library], _MULTIPLES[library].get(dtype)
    if multiples is None:
        return f"{title} has no 2:4 kernels in {dtype}, only in {', '.join(_MULTIPLES[library])}"
    rows, columns = multiples
    fits = out_features >= rows and in_features >= columns
    if fits and out_features % rows == 0 and in_features % columns == 0:
        return None
    return (
        f"{title} needs outputs in multiples of {rows} and inputs in multiples of {columns} "
        f"in {dtype}, and this weight has {out_features} and {in_features}"
    )


def two_four_mask(weight: torch.Tensor) -> torch.BoolTensor:
    """Return where the 2 of largest magnitude stand among every 4 weights along the input dim.

    `weight` is (outputs, inputs), or (outputs, inputs, 1, …) of a 1x1 convolution, inputs a
    multiple of 4 (ValueError otherwise); the mask has its shape. Of equal magnitudes the first
    are kept. This is the pattern "m4n2_1d" of NVIDIA's ASP (Mishra et al. 2021, section 4.1).
    """
    import torch

    if weight.dim() < 2 or weight.shape[1] % 4 or weight[0, 0].numel() != 1:
        raise ValueError(f"a weight of shape {tuple(weight.shape)} has no groups of 4 inputs")
    magnitudes = weight.detach().to(torch.float64).abs().reshape(-1, 4)
    largest = magnitudes.sort(dim=1, descending=True, stable=True).indices[:, :2]
    mask = torch.zeros_like(magnitudes, dtype=torch.bool).scatter_(1, largest, True)
    return mask.reshape(weight.shape)  # type: ignore[return-value]


def is_two_four(weight: torch.Tensor) -> bool:
    """Whether of every 4 weights along the input dim at least 2 are zero; shapes as above."""
    if weight.shape[1] % 4:
        return False
    return bool(((weight.reshape(-1, 4) != 0).sum(dim=1) <= 2).all())


def weight_layers(module: nn.Module) -> Iterator[tuple[str, nn.Linear | nn.Conv1d | nn.Conv2d]]:
    """Yield name and module of each linear layer and each convolution, in the module's order."""
    from torch import nn

    for name, layer in module.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            yield name, layer


def why_not_prunable(
    layer: nn.Linear | nn.Conv1d | nn.Conv2d, dtype: str, library: Library
) -> str | None:
    """Return None if the layer's weight is pruned for `library`, otherwise why not."""
    from torch import nn

    reason = None
    if not isinstance(layer, nn.Linear):
        reason = why_no_matrix_product(layer.kernel_size, layer.groups)
    return reason or eligible(layer.weight.shape[0], layer.weight.shape[1], dtype, library)


def why_no_matrix_product(kernel: Sequence[int], groups: int) -> str | None:
    """Return None if a convolution is one product of its (outputs, inputs) weight, or why not."""
    if any(size != 1 for size in kernel):
        return f"a convolution of kernel {'x'.join(map(str, kernel))} is not a matrix product"
    return (
        None if groups == 1 else f"a convolution in {groups} groups is not a single matrix product"
    )


def prune_two_four(
    module: nn.Module, dtype: str = "fp16", library: Library = "tensorrt"
) -> list[str]:
    """Prune, in place, the weights that `library` takes, and return the names of their layers.

    These are linear layers and ungrouped 1x1 convolutions whose dims are eligible in `dtype`, the
    dtype they will run in; the weights' own may differ. Pruning twice changes nothing.
    """
    import torch

    pruned = []
    with torch.no_grad():
        for name, layer in weight_layers(module):
            if why_not_prunable(layer, dtype, library) is None:
                layer.weight.masked_fill_(~two_four_mask(layer.weight), 0)
                pruned.append(name)
    return pruned
