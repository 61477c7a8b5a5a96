"""Every point of the default `vit` plan built for GPUs that are not here.

python benchmarks/engine_builds.py [--out docs/results/engine_builds.md]
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace

from report import heading, publish, table
from vitprof.backends import BackendError, BackendOptions, Device, find_device
from vitprof.backends.tensorrt.artifact import EngineFile
from vitprof.backends.tensorrt.backend import TensorRtBackend, sparsity_report
from vitprof.backends.tensorrt.engine import engine_from_onnx
from vitprof.backends.tensorrt.library import tensorrt_library
from vitprof.models import Block, create_block
from vitprof.spaces.vit import ViTSlabs

DEVICES = ("t4", "rtx3080")


def build_all(device: Device, sparsity: str, blocks: list[Block]) -> tuple[list[str], list[str]]:
    """Build each block; return the table's line and what failed."""
    backend = TensorRtBackend(device.compute_capability)
    options = BackendOptions(dtype="fp16", sparsity=sparsity, provider=backend.default_provider)
    library = tensorrt_library(options.provider)
    seconds, sizes, failures = [], [], []
    eligible = products = changed = 0
    for block in blocks:
        module, shape = create_block(block), (1, *block.input_shape)
        started = time.perf_counter()
        try:
            engine = backend.build(module, shape, options)
        except BackendError as error:
            failures.append(f"{device.title}, {sparsity}: {block}: {error}")
            continue
        seconds.append(time.perf_counter() - started)
        sizes.append(len(engine))
        model = backend.onnx(module, shape, options)
        layers = sparsity_report(model, options.dtype, device.compute_capability)
        products += len(layers)
        eligible += sum(layer.eligible for layer in layers)
        if sparsity == "2:4":
            dense = replace(options, sparsity="dense")
            unflagged = engine_from_onnx(model, library, device.compute_capability, dense)
            changed += unflagged.engine != EngineFile.from_bytes(engine).engine
    line = [
        f"{device.title} ({device.compute_capability})",
        sparsity,
        f"{len(seconds)} of {len(blocks)}",
        f"{statistics.median(seconds):.2f}" if seconds else "",
        f"{max(seconds):.2f}" if seconds else "",
        f"{sum(seconds):.0f}",
        f"{sum(sizes) / 2**20:.0f}",
        f"{eligible} of {products}",
        f"{changed} of {len(seconds)}" if sparsity == "2:4" else "",
    ]
    return line, failures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out")
    arguments = parser.parse_args()
    blocks = ViTSlabs().blocks()
    # The first build of a process loads the library's kernels, and would be the slowest.
    build_all(find_device(DEVICES[0]), "dense", blocks[:1])
    lines, failures = [], []
    for name in DEVICES:
        for sparsity in ("dense", "2:4"):
            line, failed = build_all(find_device(name), sparsity, blocks)
            lines.append(line)
            failures += failed
    columns = (
        "built for",
        "weights",
        "engines",
        "seconds each (median)",
        "worst",
        "total",
        "MiB",
        "layers 2:4 can take",
        "engines SPARSE_WEIGHTS changes",
    )
    note = (
        f"{len(blocks)} points of the default `vit` plan, batch 1, fp16, built with "
        f"{tensorrt_library('tensorrt_rtx').title} on a machine without a GPU. Seconds are those "
        "of the whole build: pruning, ONNX export and TensorRT's builder. A layer is a matrix "
        "product or a convolution. The last column compares the engine with one built from the "
        "same pruned weights without the flag. Failures: " + ("; ".join(failures) or "none") + ".\n"
    )
    text = heading("Engines built without the GPU") + f"\n{note}\n" + table(columns, lines)
    publish(text, arguments.out)


if __name__ == "__main__":
    main()
