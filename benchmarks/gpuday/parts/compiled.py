"""Whole models: op by op, compiled, and each replayed as a CUDA graph."""

from __future__ import annotations

import itertools

from vitprof.backends import BackendOptions
from vitprof.models import create_spec

from ..findings import Findings
from ..rig import Rig
from ..stopwatch import Stopwatch, Variant, say_failures

WAYS = tuple(itertools.product(("eager", "compile"), ("none", "cuda_graph")))


def run(rig: Rig, findings: Findings) -> None:
    backend, watch = rig.runtime(), Stopwatch()
    columns = ("model", "dtype", "batch", *(f"{way}, {graph}" for way, graph in WAYS))
    failed = []
    # The dtype that counts comes first: compiling takes its time.
    dtypes = rig.dtypes[:1] if rig.rehearse else tuple(reversed(rig.dtypes))
    batches = (1,) if rig.rehearse else (1, 32)
    work = list(itertools.product(dtypes, batches, rig.models))
    for dtype, batch, model in rig.in_time(work, findings):
        variants = [
            Variant(backend, BackendOptions(dtype=dtype, provider=way, graph=graph), batch)
            for way, graph in WAYS
        ]
        found = watch.timed(create_spec(model), variants)
        cells = (model, dtype, batch, *(one.us for one in found))
        findings.row("Medians in µs by the device's clock", columns, cells)
        names = (f"{model}, batch {batch}, {dtype}, {way}, {graph}" for way, graph in WAYS)
        failed += zip(names, found, strict=True)
    say_failures(findings.say, failed)
