"""A torch module as bytes: the exported program, its weights, and which of them are 2:4."""

from __future__ import annotations

import copy
import io
import json
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..protocol import BackendError
from ..random_input import input_dtype, seeded_input
from ..two_four import Library, prune_two_four, weight_layers, why_not_prunable
from .int8 import INT8, import_torchao, int8_module
from .loaded import LoadedPrograms

if TYPE_CHECKING:
    import torch

# What weights and activations can be kept in.
TORCH_DTYPES = ("fp32", "fp16", "bf16")
# Ways to run a program: op by op, or compiled by torch.compile.
PROVIDERS = ("eager", "compile")

_LOADED = LoadedPrograms()


@dataclass(frozen=True)
class TorchProgram:
    """What a session is loaded from.

    `exported` is what `torch.export.save` wrote; `shape` the input's, batch included; `sparse` the
    names of the linear weights that are 2:4 and to be converted, empty for a dense program;
    `input_dtype` is "int64" for words, and else of no account.
    """

    exported: bytes
    shape: tuple[int, ...]
    dtype: str
    sparse: tuple[str, ...] = ()
    library: Library = "cutlass"
    input_dtype: str = "fp32"

    def to_bytes(self) -> bytes:
        """Return one line of JSON, and the exported program behind it."""
        header = {
            "shape": self.shape,
            "dtype": self.dtype,
            "sparse": self.sparse,
            "library": self.library,
            "input": self.input_dtype,
        }
        return json.dumps(header).encode() + b"\n" + self.exported

    @classmethod
    def from_bytes(cls, artifact: bytes) -> TorchProgram:
        """Read what `to_bytes` wrote in this run. It is not a format to exchange files in."""
        try:
            line, _, exported = artifact.partition(b"\n")
            header = json.loads(line)
            return cls(
                exported,
                tuple(header["shape"]),
                header["dtype"],
                tuple(header["sparse"]),
                header["library"],
                header["input"],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise BackendError.because("reading the program", error) from error

    def module(self, device: str) -> torch.nn.Module:
        """Return the program with newly allocated weights on `device`, not yet sparse."""
        if self.dtype == INT8:
            import_torchao()  # what its tensors are, reading has to know
        if device == "cpu":
            return _LOADED.copy_of(self.exported, lambda: self._read("cpu"))
        return self._read(device)

    def _read(self, device: str) -> torch.nn.Module:
        import torch
        from torch.export.passes import move_to_device_pass

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.load(io.BytesIO(self.exported))
            if device != "cpu":
                program = move_to_device_pass(program, device)
            return _bare(program)

    def input(self, device: str) -> torch.Tensor:
        """Return the seeded input on `device`, in the program's dtype."""
        import torch

        values = torch.from_numpy(seeded_input(self.shape, self.input_dtype))
        of_words = self.input_dtype == "int64"
        return values.to(device=device, dtype=None if of_words else torch_dtype(self.dtype))


def _bare(program: torch.export.ExportedProgram) -> torch.nn.Module:
    """Return the program's module without the checks of its input that each run would begin with.

    They take about 100 µs, half the time of a small block, and the input is always the same.
    """
    try:
        module = program.module(check_guards=False)
    except TypeError:  # torch before 2.9
        module = program.module()
    module._forward_pre_hooks.clear()
    return module


def export_program(
    module: torch.nn.Module, shape: tuple[int, ...], dtype: str, sparsity: str, library: Library
) -> TorchProgram:
    """Return the program of a copy of `module` in eval mode, pruned first for sparsity "2:4".

    In "int8" its linear layers are quantized (`int8_module`). Raises BackendError if torch cannot
    export it, and if 2:4 is wanted of a module none of whose linear layers `library` takes.
    """
    import torch

    prepared = copy.deepcopy(module).eval().requires_grad_(False).cpu()
    sparse = prune_linear(prepared, dtype, library) if sparsity == "2:4" else []
    prepared = int8_module(prepared) if dtype == INT8 else prepared.to(torch_dtype(dtype))
    kind = input_dtype(prepared, "fp32")
    example = torch.from_numpy(seeded_input(shape, kind))
    example = example if kind == "int64" else example.to(torch_dtype(dtype))
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            buffer = io.BytesIO()
            torch.export.save(torch.export.export(prepared, (example,)), buffer)
    except Exception as error:
        # For anything that torch raises here, the point cannot be compiled and its row says so.
        raise BackendError.because("torch.export", error) from error
    return TorchProgram(buffer.getvalue(), shape, dtype, tuple(sparse), library, kind)


def prune_linear(module: torch.nn.Module, dtype: str, library: Library) -> list[str]:
    """Prune the linear layers that `library` takes, in place; return the names of their weights.

    Convolutions stay dense: PyTorch has 2:4 for linear layers only. Raises BackendError, with each
    reason, where no layer can be pruned.
    """
    from torch import nn

    layers = weight_layers(module)
    linear = [(name, layer) for name, layer in layers if isinstance(layer, nn.Linear)]
    if not linear:
        raise BackendError("2:4 sparsity needs a linear layer, and this block has none.")
    reasons = {name: why_not_prunable(layer, dtype, library) for name, layer in linear}
    if all(reasons.values()):
        words = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise BackendError(f"no layer can be 2:4 sparse ({words}).")
    for name, layer in linear:
        if reasons[name] is None:
            # One by one: a convolution beside it must keep its weights.
            prune_two_four(layer, dtype, library)
    return [f"{name}.weight" if name else "weight" for name in reasons if reasons[name] is None]


def torch_dtype(dtype: str) -> Any:
    """Return torch's dtype of inputs in one of TORCH_DTYPES; int8 layers take fp32."""
    import torch

    kinds = (torch.float32, torch.float16, torch.bfloat16)
    return dict(zip(TORCH_DTYPES, kinds, strict=True)).get(dtype, torch.float32)
