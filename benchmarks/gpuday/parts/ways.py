"""Blocks of DeiT-S and -B op by op: each dtype, launched or replayed, from a warm or cold L2."""

from __future__ import annotations

import itertools

from vitprof.backends import BackendOptions

from ..findings import Findings
from ..rig import Rig
from ..stopwatch import Stopwatch, Variant, say_failures

GRAPHS, CACHES = ("none", "cuda_graph"), ("warm", "cold")


def run(rig: Rig, findings: Findings) -> None:
    backend, watch = rig.runtime(), Stopwatch()
    ways = list(itertools.product(GRAPHS, CACHES))
    columns = ("block", "dtype", *(f"{graph}, {cache}" for graph, cache in ways), "10 % to 90 %")
    failed = []
    work = [(block, dtype) for dtype in reversed(rig.dtypes) for block in rig.blocks()]
    for block, dtype in rig.in_time(work, findings):
        variants = [
            Variant(backend, BackendOptions(dtype=dtype, provider="eager", graph=g, cache=c))
            for g, c in ways
        ]
        found = watch.timed(block, variants)
        best = found[2] if not found[2].error else found[0]  # replayed, warm
        cells = (str(block), dtype, *(one.us for one in found), best.spread)
        findings.row("Medians in µs by the device's clock, batch 1", columns, cells)
        names = (f"{block} in {dtype}, {g}, {c}" for g, c in ways)
        failed += zip(names, found, strict=True)
    say_failures(findings.say, failed)
