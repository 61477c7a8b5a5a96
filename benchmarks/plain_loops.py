"""A plain timing loop of one runtime beside vitprof's way of timing, alternating in one process.

    python benchmarks/plain_loops.py openvino [--model deit-tiny] [--rounds 12]

The loop is what its documentation shows: load the file that vitprof built, give it the input, run
it a few times untimed, then time each run and take the median. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from vitprof import create_spec
from vitprof.backends import seeded_input
from vitprof.profiler.sampling.clock import SystemClock
from vitprof.profiler.sampling.sampler import sample_group
from vitprof.profiler.side_by_side import PLAN
from vitprof.profiler.target import target_of
from vitprof.profiler.workshop import Workshop
from vitprof.tables.setting import PartialSetting

WARMUP, RUNS = 5, 20


def onnxruntime_loop(artifact: bytes, values: np.ndarray) -> Callable[[], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(artifact, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: values})


def torch_loop(artifact: bytes, values: np.ndarray) -> Callable[[], Any]:
    import torch
    from vitprof.profiler.random_module import random_module

    torch.set_num_threads(1)
    module, _ = random_module(create_spec(MODEL))
    tensor = torch.from_numpy(values)

    def run() -> Any:
        with torch.inference_mode():
            return module(tensor)

    return run


def openvino_loop(artifact: bytes, values: np.ndarray) -> Callable[[], Any]:
    import openvino
    from vitprof.backends.onnx.export import onnx_from_module
    from vitprof.profiler.random_module import random_module

    module, shape = random_module(create_spec(MODEL))
    model = openvino.Core().read_model(io.BytesIO(onnx_from_module(module, (1, *shape))))
    hints = {
        "INFERENCE_NUM_THREADS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
    }
    compiled = openvino.Core().compile_model(model, "CPU", hints)
    request = compiled.create_infer_request()
    return lambda: request.infer({0: values})


def litert_loop(artifact: bytes, values: np.ndarray) -> Callable[[], Any]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=artifact, num_threads=1)
    interpreter.allocate_tensors()
    index = interpreter.get_input_details()[0]["index"]
    interpreter.set_tensor(index, values)
    return interpreter.invoke


def executorch_loop(artifact: bytes, values: np.ndarray) -> Callable[[], Any]:
    import torch
    from executorch.extension.pybindings import portable_lib

    portable_lib._unsafe_reset_threadpool(1)
    module = portable_lib._load_for_executorch_from_buffer(artifact)
    tensor = torch.from_numpy(values)
    return lambda: module.forward([tensor])


LOOPS = {
    "onnxruntime": onnxruntime_loop,
    "torch": torch_loop,
    "openvino": openvino_loop,
    "litert": litert_loop,
    "executorch": executorch_loop,
}
MODEL = "deit-tiny"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backend", choices=LOOPS)
    parser.add_argument("--rounds", type=int, default=12)
    arguments = parser.parse_args()
    setting = PartialSetting(backend=arguments.backend, dtype="fp32")
    target, spec = target_of(setting), create_spec(MODEL)
    values = seeded_input((1, *spec.input_shape))
    loops, benches = [], []
    with Workshop(target) as workshop, tempfile.TemporaryDirectory() as folder:
        artifact = workshop.build(spec)
        Path(folder, "artifact").write_bytes(artifact)
        import random

        rng = random.Random(0)
        for _ in range(arguments.rounds):
            run = LOOPS[arguments.backend](artifact, values)
            for _ in range(WARMUP):
                run()
            times = []
            for _ in range(RUNS):
                started = time.perf_counter()
                run()
                times.append(1e3 * (time.perf_counter() - started))
            del run
            loops.append(statistics.median(times))
            with workshop.fresh_session(spec) as session:
                samples = sample_group({0: session}, PLAN, SystemClock(), rng)[0]
            found = [sample.wall_ms for sample in samples.kept or samples.all]
            benches.append(statistics.median(found))
    ratios = np.log(np.array(benches) / np.array(loops))
    half = 2.2 * ratios.std(ddof=1) / len(ratios) ** 0.5
    middle = float(np.median(ratios))
    print(
        json.dumps(
            {
                "model": MODEL,
                "loop_ms": statistics.median(loops),
                "bench_ms": statistics.median(benches),
                "ratio": float(np.exp(middle)),
                "low": float(np.exp(middle - half)),
                "high": float(np.exp(middle + half)),
            }
        )
    )


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
