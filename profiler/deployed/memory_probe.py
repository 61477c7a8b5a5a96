"""The process whose memory is measured: `python -m vitprof.profiler.deployed.memory_probe REQUEST`.

It imports a runtime, notes its peak, loads a model, runs it a few times, and prints both peaks.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .process_memory import peak_resident_bytes

RUNS = 5


def main(request: dict[str, Any]) -> dict[str, int]:
    prepare = {"onnx": _onnx, "torch": _torch}[request["kind"]]
    load = prepare(request)
    before = peak_resident_bytes()
    with ExitStack() as stack:
        executable = stack.enter_context(load())
        for _ in range(RUNS):
            executable.run()
        return {"before": before, "peak": peak_resident_bytes()}


def _onnx(request: dict[str, Any]) -> Callable[[], Any]:
    import numpy as np  # noqa: F401 - before the peak is noted
    import onnxruntime  # noqa: F401

    from ...backends.onnxruntime.backend import BackendOptions, OnnxRuntimeExecutable

    options = BackendOptions(threads=request["threads"])
    # From its path, as a program on a device would: its bytes are in no second place.
    return lambda: OnnxRuntimeExecutable(request["path"], options)


def _torch(request: dict[str, Any]) -> Callable[[], Any]:
    import torch

    from ...backends.onnxruntime.int8 import DYNAMIC
    from ...backends.pytorch.int8 import import_torchao
    from ...backends.pytorch.session import executable_of
    from .deployed import torch_module

    torch.set_num_threads(request["threads"])
    precision = request["precision"]
    if precision == DYNAMIC:
        import_torchao()  # before the peak is noted

    def load() -> Any:
        module: Any = torch_module(Path(request["folder"]), Path(request["path"]), precision)
        shape = (request["batch"], *module.spec.blocks()[0].input_shape)
        return executable_of(module, shape, request["threads"])

    return load


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
