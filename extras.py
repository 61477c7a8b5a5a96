"""Which of vitprof's extras brings a library, and the sentence where one is missing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from .errors import MissingExtraError

P = ParamSpec("P")
R = TypeVar("R")

# Library, as it is imported -> extra. A library of several extras stands with the smaller one.
EXTRAS = {
    "torch": "measure",
    "onnx": "measure",
    "onnxruntime": "measure",
    "safetensors": "measure",
    "PIL": "train",
    "pymoo": "search",
    "tokenizers": "text",
    "torchao": "int8",
    "transformers": "segmentation",
    "sklearn": "validate",
    "ray": "ray",
    "pynvml": "cuda",
    "tensorrt_rtx": "tensorrt",
    "coremltools": "coreml",
    "executorch": "executorch",
    "ai_edge_litert": "litert",
    "litert_torch": "litert-build",
    "ai_edge_quantizer": "litert-build",
    "huggingface_hub": "hub",
    "datasets": "datasets",
    "timm": "recipes",
    "openvino": "openvino",
    "nncf": "openvino",
    "mlflow": "mlflow",
    "wandb": "wandb",
}


def missing_extra(error: ImportError) -> MissingExtraError | None:
    """Return the sentence for a library that could not be found; None where it is none of ours."""
    library = (error.name or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or library not in EXTRAS:
        return None
    return MissingExtraError(
        EXTRAS[library], f"this needs the library {library}, which is not installed:"
    )


def naming_extras(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function, which names the extra where a library of one is not installed."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except ModuleNotFoundError as error:
            missing = missing_extra(error)
            if missing is None:
                raise
            raise missing from error

    return call
