"""Which of vitprof's extras brings a library, and the sentence where one is missing."""

from __future__ import annotations

from .errors import MissingExtraError

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
}


def missing_extra(error: ImportError) -> MissingExtraError | None:
    """Return the sentence for a library that could not be found; None where it is none of ours."""
    library = (error.name or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or library not in EXTRAS:
        return None
    return MissingExtraError(
        EXTRAS[library], f"this needs the library {library}, which is not installed:"
    )
