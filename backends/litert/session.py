"""A LiteRT model as an Executable: one interpreter, its inputs filled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...closing import Closing
from ..protocol import BackendError, BackendOptions
from ..random_input import seeded_input
from .delegated import delegated_operators
from .quiet import quiet_litert

if TYPE_CHECKING:
    import numpy as np

# The delegate that LiteRT applies by itself, and its own kernels without any.
XNNPACK, BUILTIN = "xnnpack", "builtin"
PROVIDERS = (XNNPACK, BUILTIN)
_FILLED = ("float32", "float16", "int32", "int64")


class LiteRtExecutable(Closing):
    """One interpreter of one model, in memory or in a file; it has run once when it is made."""

    def __init__(self, model: bytes | Path, options: BackendOptions) -> None:
        self._interpreter: Any = None
        try:
            with quiet_litert():
                self._interpreter = _interpreter(model, options)
                for tensor in self._interpreter.get_input_details():
                    self._interpreter.set_tensor(tensor["index"], input_of(tensor))
                self._interpreter.invoke()
        except BackendError:
            self.close()
            raise
        except Exception as error:
            self.close()
            raise BackendError.because("loading the model into LiteRT", error) from error

    def run(self) -> None:
        """Run the model once on its bound input. Raises BackendError."""
        try:
            self._interpreter.invoke()
        except Exception as error:
            if self._interpreter is None:
                raise _closed() from None
            raise BackendError.because("running the model", error) from error

    def outputs(self) -> list[np.ndarray]:
        """Return copies of what the last run computed; int8 outputs as the numbers they stand for.

        In the order of the module's outputs.
        """
        interpreter = self._open
        return [
            dequantized(interpreter.get_tensor(tensor["index"]), tensor)
            for tensor in interpreter.get_output_details()
        ]

    def computed(self, values: np.ndarray) -> list[np.ndarray]:
        """Return what the model computes of `values`, which stay bound to its one input.

        Raises BackendError, also for values of another shape.
        """
        interpreter = self._open
        (tensor,) = interpreter.get_input_details()
        try:
            interpreter.set_tensor(tensor["index"], quantized(values, tensor))
        except ValueError as error:
            raise BackendError.because("binding the input", error) from error
        self.run()
        return self.outputs()

    def delegated_share(self) -> float:
        """Return which share of the model's operators XNNPACK runs, from 0 to 1."""
        inside, outside = self.operators()
        return len(inside) / max(len(inside) + len(outside), 1)

    def operators(self) -> tuple[list[str], list[str]]:
        """Return the operators that XNNPACK runs, and those that LiteRT's own kernels do."""
        # Not public, but no public call tells of delegates.
        return delegated_operators(self._open._get_ops_details())

    def close(self) -> None:
        self._interpreter = None

    @property
    def _open(self) -> Any:
        if self._interpreter is None:
            raise _closed()
        return self._interpreter


def tensors_of_model(model: bytes) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Return the runtime's details of a model's inputs and outputs; raises BackendError."""
    try:
        with quiet_litert():
            from ai_edge_litert.interpreter import Interpreter

            interpreter = Interpreter(model_content=model)
            return interpreter.get_input_details(), interpreter.get_output_details()
    except Exception as error:
        raise BackendError.because("reading the model", error) from error


def _interpreter(model: bytes | Path, options: BackendOptions) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    source = {"model_path": str(model)} if isinstance(model, Path) else {"model_content": model}
    kernels = (
        OpResolverType.BUILTIN
        if options.provider == XNNPACK
        else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter = Interpreter(
        **source, num_threads=options.threads, experimental_op_resolver_type=kernels
    )
    interpreter.allocate_tensors()
    return interpreter


def input_of(tensor: Mapping[str, Any]) -> np.ndarray:
    """Return the seeded input for one input of a model; BackendError where it has none."""
    import numpy as np

    name, dtype, shape = tensor["name"], np.dtype(tensor["dtype"]), tuple(map(int, tensor["shape"]))
    if any(size < 1 for size in tensor["shape_signature"]):
        raise BackendError(
            f"input '{name}' of the model has the open shape {shape}; a "
            "point is measured at one fixed shape."
        )
    if dtype.name in _FILLED:
        kind = dtype.name if dtype.kind == "i" else "fp32"
        return seeded_input(shape, kind).astype(dtype)
    scale, _ = tensor["quantization"]
    if dtype.name not in ("int8", "uint8", "int16") or not scale:
        raise BackendError(
            f"input '{name}' of the model is {dtype.name}; only {', '.join(_FILLED)} and quantized "
            "inputs can be filled."
        )
    return quantized(seeded_input(shape), tensor)


def quantized(values: np.ndarray, tensor: Mapping[str, Any]) -> np.ndarray:
    """Return numbers as an input takes them: as its integers, where it is quantized."""
    import numpy as np

    dtype, (scale, zero) = np.dtype(tensor["dtype"]), tensor["quantization"]
    if not scale or dtype.kind not in "iu":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.round(values / scale) + zero, limits.min, limits.max).astype(dtype)


def dequantized(values: np.ndarray, tensor: Mapping[str, Any]) -> np.ndarray:
    """Return the numbers that an output's integers stand for; other outputs as they are."""
    import numpy as np

    scale, zero = tensor["quantization"]
    if not scale or values.dtype.kind not in "iu":
        return values
    return ((values.astype(np.float32) - zero) * scale).astype(np.float32)


def _closed() -> BackendError:
    return BackendError("this executable is closed; load the artifact again.")
