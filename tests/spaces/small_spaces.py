"""Small search spaces of each family, and tables that cover a space though nobody measured them."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from vitprof.models import Block, Spec
from vitprof.spaces.registry import search_space_from_dict
from vitprof.spaces.space import SearchSpace
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.calibration.calibrate import calibrated

FRAME = {"resolution": 32, "classes": 3}
SMALL: dict[str, dict[str, Any]] = {
    "vit": {
        "family": "vit",
        **FRAME,
        "patch": 8,
        "embed": [16, 24],
        "depth": [1, 2],
        "heads": [1, 2],
        "qk": 8,
        "mlp_ratio": [1, 1.5],
    },
    # Widths that may shrink where a model ends before them, and some that no model has.
    "autovit": {
        "family": "autovit",
        **FRAME,
        "stem_width": [8, 16],
        "pool_width": [16, 24],
        "pool_expansion": 2,
        "stages": [1, 2],
        "mbconv": [{"width": [8, 16, 24], "depth": [1, 2], "stride": 1}],
        "transformer": [
            {"width": [16, 24, 32], "depth": 1, "heads": [1, 2], "ratio": 1.5, "stride": 2},
            {"width": [16, 24], "depth": 1, "heads": 2, "ratio": [1, 2], "stride": 2},
        ],
    },
    # Not all heads divide each width.
    "efficientvit": {
        "family": "efficientvit",
        "resolution": 64,
        "classes": 3,
        "kernels": [3],
        "qk": [4, 8],
        "ffn_ratio": 2,
        "stage": [
            {"embed": [16, 24, 48], "depth": 1, "heads": [2, 3, 4]},
            {"embed": [24, 32, 36], "depth": [1, 2], "heads": [3, 4]},
        ],
    },
    # Widths of the second stage that are less than some of the first.
    "swin": {
        "family": "swin",
        "resolution": 16,
        "classes": 3,
        "patch": 2,
        "window": 2,
        "stage": [
            {"embed": [8, 24], "depth": [1, 2], "heads": [1, 2], "qk": 4, "mlp_ratio": 1.5},
            {
                "embed": [16, 32],
                "depth": 1,
                "heads": [2],
                "qk": [4, 8],
                "v": 8,
                "mlp_ratio": [1, 2],
            },
        ],
    },
    "bert": {
        "family": "bert",
        "vocab": 64,
        "positions": 16,
        "tokens": 8,
        "embed": [16, 24],
        "depth": [1, 2],
        "heads": [1, 2],
        "qk": 8,
        "mlp": [16, 32],
    },
    "vgg": {
        "family": "vgg",
        "resolution": 16,
        "classes": 3,
        "pooled": 2,
        "hidden": [8, 16],
        "dense": [1, 2],
        "stage": [{"channels": [4, 8], "depth": [1, 2]}, {"channels": [4, 6], "depth": 1}],
    },
}


@pytest.fixture(scope="session", params=list(SMALL), name="small")
def small_fixture(request: pytest.FixtureRequest) -> SearchSpace:
    """The small space of each family in turn."""
    return search_space_from_dict({"name": "small", **SMALL[request.param]}, "the test")


@pytest.fixture(scope="session", name="small_autovit")
def small_autovit_fixture() -> SearchSpace:
    return search_space_from_dict({"name": "small", **SMALL["autovit"]}, "the test")


def every(space: SearchSpace) -> np.ndarray:
    """Return all models of a space, by its own enumeration."""
    return np.concatenate(list(space.enumerate()))


def table_of(space: SearchSpace, seed: int = 0, models: int = 0) -> LatencyTable:
    """Return a table that covers a space, in which no block costs what its work is.

    So an interpolation, a block left out and one taken twice all show. With whole `models` it has
    a line from blocks to models too.
    """

    def cost(block: Block) -> float:
        return 0.1 + zlib.crc32(f"{seed} {block}".encode()) / 2**32 + block.macs / 1e8

    def row(subject: Block | Spec, ms: float) -> Row:
        return Row(
            subject,
            latency_ms=ms,
            low_ms=0.99 * ms,
            high_ms=1.01 * ms,
            session_ms=(ms,) * 3,
            samples=30,
            context="in_model" if isinstance(subject, Spec) else "alone",
        )

    measuring = space.measured()
    rows = [row(block, cost(block)) for block in measuring.blocks()]
    specs = measuring.calibration_models(models) if models else []
    rows += [row(spec, 0.8 * sum(map(cost, spec.blocks())) + 0.5) for spec in specs]
    setting = Setting("cpu", "onnxruntime", "CPUExecutionProvider")
    return calibrated(LatencyTable(rows, setting))
