"""TensorRT-RTX engines of the blocks, dense and 2:4, where the wheel is and builds for the GPU."""

from __future__ import annotations

import itertools

from vitprof.backends import BackendOptions
from vitprof.backends.tensorrt.backend import TensorRtBackend

from ..findings import Findings
from ..rig import Rig
from ..stopwatch import Stopwatch, Variant, say_failures

# For a GPU that is not here, in a rehearsal: its engines are built and cannot be loaded.
ELSEWHERE = "8.6"
WAYS = tuple(itertools.product(("dense", "2:4"), ("none", "cuda_graph")))


def run(rig: Rig, findings: Findings) -> None:
    capability = ELSEWHERE if rig.rehearse else rig.device.compute_capability
    backend = TensorRtBackend(capability)
    if reason := backend.unbuildable():
        findings.say(f"No engine can be built here: {reason}")
        return
    watch, failed = Stopwatch(), []
    columns = ("block", *(f"{sparsity}, {graph}" for sparsity, graph in WAYS))
    for block in rig.in_time(rig.blocks(), findings):
        variants = [
            Variant(
                backend,
                BackendOptions(
                    dtype="fp16", provider=backend.default_provider, sparsity=sparsity, graph=graph
                ),
            )
            for sparsity, graph in WAYS
        ]
        found = watch.timed(block, variants)
        findings.row("Medians in µs, fp16, batch 1", columns, (str(block), *(o.us for o in found)))
        names = (f"{block}, {sparsity}, {graph}" for sparsity, graph in WAYS)
        failed += zip(names, found, strict=True)
    say_failures(findings.say, failed)
