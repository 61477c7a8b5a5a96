"""A model on a phone as an Executable: each run is one process of `benchmark_model`."""

from __future__ import annotations

import math
import secrets
from typing import TYPE_CHECKING

from ....closing import Closing
from ...protocol import BackendError, BackendOptions
from ..session import BUILTIN, XNNPACK, dequantized, input_of, tensors_of_model
from .benchmark_output import BenchmarkOutput, read_benchmark_output

if TYPE_CHECKING:
    import numpy as np

    from .link import PhoneLink

GPU = "gpu"
PROVIDERS = (XNNPACK, BUILTIN, GPU)
# What one process times: runs until both are reached.
_RUNS, _SECONDS = 20, 0.2
_MOST_SECONDS = 30.0


class AndroidExecutable(Closing):
    """One model on a phone, in a process of its own at every run.

    A run's time is the median of the runs that `benchmark_model` times in it (the mean of versions
    that print no median); starting the process and loading the model are not in it.
    """

    def __init__(self, artifact: bytes, options: BackendOptions, link: PhoneLink) -> None:
        self._link: PhoneLink | None = link
        self._options = options
        self._inputs, self._outputs = tensors_of_model(artifact)
        self._model = link.put(artifact, "tflite")
        self._arguments = [*self._input_arguments(link), *_provider_arguments(options.provider)]
        self.last: BenchmarkOutput = self._benchmark(_RUNS, _SECONDS)
        if options.provider == GPU and "GPU" not in self.last.applied:
            raise BackendError("the phone's GPU delegate takes nothing of this model.")

    def run(self) -> None:
        """Time the model once more. Raises BackendError, also where the phone is lost."""
        self.last = self._benchmark(_RUNS, _SECONDS)

    def device_ms(self) -> float:
        """Return the typical time of the last run's runs, in ms."""
        return self.last.typical_ms

    def runs_timed(self) -> int:
        return self.last.runs

    def outputs(self) -> list[np.ndarray]:
        """Return what the phone computes of the seeded input, from a process that writes it."""
        import numpy as np

        link = self._open
        path = f"{link.folder}/{secrets.token_hex(8)}.out"
        self._benchmark(1, 0.0, f"--output_filepath={path}")
        try:
            data = link.get(path)
        except BackendError as error:
            raise BackendError(
                f"this benchmark_model wrote no outputs ({error}); use a newer one."
            ) from error
        found, at = [], 0
        for tensor in self._outputs:
            dtype, shape = np.dtype(tensor["dtype"]), tuple(map(int, tensor["shape"]))
            size = math.prod(shape) * dtype.itemsize
            if len(data) < at + size:
                raise BackendError(f"the phone wrote {len(data)} bytes of outputs, too few.")
            values = np.frombuffer(data[at : at + size], dtype).reshape(shape).copy()
            found.append(dequantized(values, tensor))
            at += size
        return found

    def close(self) -> None:
        self._link = None

    @property
    def _open(self) -> PhoneLink:
        if self._link is None:
            raise BackendError("this executable is closed; load the artifact again.")
        return self._link

    def _benchmark(self, runs: int, seconds: float, *more: str) -> BenchmarkOutput:
        link = self._open
        output = link.adb.shell(
            link.program,
            f"--graph={self._model}",
            f"--num_threads={self._options.threads}",
            f"--num_runs={runs}",
            f"--min_secs={seconds}",
            f"--max_secs={_MOST_SECONDS}",
            "--warmup_runs=1",
            "--warmup_min_secs=0.05",
            *self._arguments,
            *more,
            seconds=4 * _MOST_SECONDS,
        )
        return read_benchmark_output(output)

    def _input_arguments(self, link: PhoneLink) -> list[str]:
        """Return the arguments that give the model the seeded input."""
        names, shapes, files = [], [], []
        for tensor in self._inputs:
            name = str(tensor["name"])
            if "," in name:
                raise BackendError(f"benchmark_model cannot be given an input called '{name}'.")
            names.append(name)
            shapes.append(",".join(str(size) for size in tensor["shape"]))
            path = link.put(input_of(tensor).tobytes(), "input")
            files.append(f"{name.replace(':', '::')}:{path}")
        return [
            f"--input_layer={','.join(names)}",
            f"--input_layer_shape={':'.join(shapes)}",
            f"--input_layer_value_files={','.join(files)}",
        ]


class DelegatedAndroidExecutable(AndroidExecutable):
    """One of a `benchmark_model` that says what its delegate takes."""

    def delegated_share(self) -> float:
        """Return which share of the operators the phone's delegate runs, from 0 to 1."""
        return self.last.delegated or 0.0


def open_on_phone(artifact: bytes, options: BackendOptions, link: PhoneLink) -> AndroidExecutable:
    """Return a session of the model on the phone; raises BackendError."""
    executable = AndroidExecutable(artifact, options, link)
    if executable.last.delegated is not None:
        executable.__class__ = DelegatedAndroidExecutable
    return executable


def _provider_arguments(provider: str) -> list[str]:
    if provider == GPU:
        # In fp32, as on every other runtime; its own default computes in half precision.
        return ["--use_xnnpack=false", "--use_gpu=true", "--gpu_precision_loss_allowed=false"]
    return [f"--use_xnnpack={'true' if provider == XNNPACK else 'false'}"]
