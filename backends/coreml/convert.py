"""A torch module as a Core ML package, on any system and without a network."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING

from ...temporary_folder import TemporaryFolder
from ..no_logging import no_logging
from ..protocol import BackendError
from ..random_input import input_dtype, seeded_input
from .package import MODEL, WEIGHTS, pack
from .program import canonical
from .quiet import quiet_coremltools

if TYPE_CHECKING:
    import torch

# The oldest system that Xcode's devicectl drives; the iPhone 11 and all later ones can have it. On
# Macs it means macOS 14.
DEPLOYMENT_TARGET = "iOS17"


def coreml_from_module(
    module: torch.nn.Module, input_shape: tuple[int, ...], dtype: str = "fp16"
) -> bytes:
    """Return the artifact (see `coreml_package`) of `module` in eval mode.

    `input_shape` includes the batch and is fixed. Weights, activations, `input` and `output` are
    in `dtype`, "fp16" or "fp32". The caller's module keeps its mode, dtype and device. The same
    module gives the same bytes.

    Raises BackendError, with coremltools' own words, if it cannot convert the module.
    """
    with TemporaryFolder() as folder:
        package = Path(folder) / "model.mlpackage"
        messages: list[str] = []
        try:
            with quiet_coremltools() as messages:
                _convert(module, input_shape, dtype, package)
        except Exception as error:
            # For anything that torch or coremltools raises, the point cannot be compiled.
            raise BackendError(_words(messages, error)) from error
        weights = package / WEIGHTS
        return pack(
            canonical((package / MODEL).read_bytes()),
            weights.read_bytes() if weights.exists() else None,
        )


def _convert(
    module: torch.nn.Module, input_shape: tuple[int, ...], dtype: str, package: Path
) -> None:
    import coremltools
    import numpy as np
    import torch

    half = dtype == "fp16"
    array_dtype = np.float16 if half else np.float32
    exported = copy.deepcopy(module).eval().requires_grad_(False)
    exported.to(device="cpu", dtype=torch.float32)
    kind = input_dtype(exported, "fp32")
    example = torch.from_numpy(seeded_input(input_shape, kind))
    # Core ML has no whole numbers of 64 bits.
    taken = np.int32 if kind == "int64" else array_dtype
    with torch.no_grad(), no_logging():
        # Not a TorchScript trace: that leaves arithmetic on shapes in the graph, which coremltools
        # 9.0 cannot convert beside numpy 2.4. torch.export makes constants of them.
        program = torch.export.export(exported, (example,), strict=False)
        program = program.run_decompositions({})
    coremltools.convert(
        program,
        inputs=[coremltools.TensorType(name="input", shape=input_shape, dtype=taken)],
        outputs=[coremltools.TensorType(name="output", dtype=array_dtype)],
        convert_to="mlprogram",
        minimum_deployment_target=coremltools.target[DEPLOYMENT_TARGET],
        compute_precision=(
            coremltools.precision.FLOAT16 if half else coremltools.precision.FLOAT32
        ),
        skip_model_load=True,
        package_dir=str(package),
    )


def _words(messages: list[str], error: Exception) -> str:
    """Return what coremltools logged (where it stood) and raised (why), on one line."""
    words = " ".join(" ".join([*messages, str(error) or type(error).__name__]).split())
    return f"Core ML conversion failed: {words}"
