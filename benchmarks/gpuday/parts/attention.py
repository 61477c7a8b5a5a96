"""Fused against plain attention in training and inference: Efficient-ViT's tables I and II."""

from __future__ import annotations

import itertools

import vitprof

from ..findings import Findings
from ..rig import Rig

MODES = ("inference", "training")


def run(rig: Rig, findings: Findings) -> None:
    batches, tokens, runs = (16, 32, 64), (64, 128, 256, 512, 1024, 2048), 25
    if rig.rehearse:
        batches, tokens, runs = (2,), (16,), 3
    columns = ("batch", "tokens", "fused, ms", "plain, ms", "plain / fused", "95 %", "error")
    of_model = ("model", {"batches": batches, "tokens": "none"})
    of_block = ("block", {"batches": "none", "tokens": tokens})
    # One call for each table, so that one that is cut off costs the others nothing.
    work = list(itertools.product(("bf16", "fp32"), (of_model, of_block), MODES))
    for dtype, (what, given), mode in rig.in_time(work, findings):
        result = vitprof.bench_attention(
            rig.large_model,
            **given,
            dtypes=(dtype,),
            modes=(mode,),
            runs=runs,
            train_device="cpu" if rig.rehearse else "cuda",
        )
        title = f"{rig.large_model}, whole model" if what == "model" else "One attention block"
        for one in result.cases:
            times = (f"{one.fused_ms:.4g}", f"{one.plain_ms:.4g}", f"{one.speedup:.2f}")
            interval = f"{one.low:.2f} to {one.high:.2f}"
            figures = ("", "", "", "") if one.error else (*times, interval)
            cells = (one.case.batch, one.case.tokens, *figures, one.error)
            findings.row(f"{title}, {mode}, {dtype}", columns, cells)
