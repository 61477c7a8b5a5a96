"""Dense against 2:4 weights, by cuSPARSELt's kernels and by CUTLASS's, at two batches."""

from __future__ import annotations

import itertools

from vitprof.backends import BackendOptions
from vitprof.backends.cuda.backend import CudaBackend

from ..findings import Findings
from ..rig import Rig
from ..stopwatch import Stopwatch, Timed, Variant, say_failures

BATCHES = (1, 32)


def run(rig: Rig, findings: Findings) -> None:
    watch, plain = Stopwatch(), rig.runtime()
    # The rehearsal's backend has no 2:4, and says so in the rows.
    by_library = [plain, plain] if rig.rehearse else [CudaBackend(x) for x in LIBRARIES]
    blocks = [block for block in rig.blocks() if block.op in ("attention", "mlp")]
    dtypes = [dtype for dtype in rig.dtypes if dtype != "fp32"]
    columns = ("block", "batch", "dtype", "dense", *LIBRARIES, *(f"dense / {x}" for x in LIBRARIES))
    failed = []
    work = list(itertools.product(reversed(dtypes), BATCHES, blocks))
    for dtype, batch, block in rig.in_time(work, findings):
        options = BackendOptions(dtype=dtype, provider="eager", graph=rig.graph)
        sparse = BackendOptions(dtype=dtype, provider="eager", graph=rig.graph, sparsity="2:4")
        variants = [Variant(plain, options, batch)]
        variants += [Variant(backend, sparse, batch) for backend in by_library]
        dense, *others = watch.timed(block, variants)
        ratios = (ratio(dense, one) for one in others)
        cells = (str(block), batch, dtype, dense.us, *(one.us for one in others), *ratios)
        findings.row("Medians in µs by the device's clock", columns, cells)
        names = (f"{block}, batch {batch}, {dtype}, {x}" for x in ("dense", *LIBRARIES))
        failed += zip(names, (dense, *others), strict=True)
    say_failures(findings.say, failed)


LIBRARIES = ("cusparselt", "cutlass")


def ratio(dense: Timed, sparse: Timed) -> str:
    """Return how many times faster 2:4 is; below 1 it is slower."""
    if dense.error or sparse.error:
        return ""
    return f"{dense.median_ms / sparse.median_ms:.2f}"
