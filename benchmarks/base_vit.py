"""A ViT that is trained to its end, and the hybrid that teaches it: docs/results/base.md.

    python benchmarks/base_vit.py --data cifar10 --folder base-run [--hybrid-epochs 100]
        [--epochs 200] [--out docs/results/base.md]

The hybrid is an AutoViT for images of 32 x 32: convolutions, then attention on 8 x 8. The ViT has
the size of the one that docs/results were measured with before: patch 4, width 192, 6 blocks,
3 heads. It learns from the labels and from the hybrid's distribution. Both take many hours on two
cores; the same command continues where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import vitprof
from report import heading, publish, table
from vitprof.models import ViTSpec
from vitprof.models.families.autovit.spec import AutoViTSpec
from vitprof.models.families.autovit.stages import MBConvStage, TransformerStage

HYBRID = AutoViTSpec(
    name="hybrid-32",
    resolution=32,
    classes=10,
    stem_width=32,
    mbconvs=(MBConvStage(48, 2, 4, 1), MBConvStage(64, 2, 4, 1)),
    transformers=(
        TransformerStage(112, 128, 2, 4, 32, 32, 256, 2),
        TransformerStage(144, 160, 3, 5, 32, 32, 320, 1),
    ),
    pool_width=512,
    pool_expansion=4,
    patch=1,
)
BASE = ViTSpec.uniform(192, 6, 3, resolution=32, patch=4, classes=10, name="vit-32")
TAUGHT = {"distill": "soft", "alpha": 0.7, "tau": 2.0}
RECIPES: dict[str, dict[str, Any]] = {
    "hybrid": {
        "learning_rate": 2e-3,
        "augment": "deit",
        "mixup": 0.2,
        "stochastic_depth": 0.1,
        "ema": 0.999,
    },
    "vit": {
        "learning_rate": 1e-3,
        "augment": "deit",
        "stochastic_depth": 0.1,
        "ema": 0.9995,
        **TAUGHT,
    },
}
ASKED = {"hybrid": 0.92, "vit": 0.88}


def trained(
    name: str, spec: Any, epochs: float, arguments: argparse.Namespace, **more: Any
) -> dict:
    """Train a model, or return what is known of one that is trained already."""
    folder = Path(arguments.folder) / name
    if (folder / "report.json").is_file():
        return json.loads((folder / "report.json").read_text())
    began = time.monotonic()
    run = vitprof.train(
        spec, arguments.data, out=folder, epochs=epochs, progress=True, **RECIPES[name], **more
    )
    return {**run.report(), "hours": (time.monotonic() - began) / 3600}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--folder", default="base-run")
    parser.add_argument("--hybrid-epochs", type=float, default=100)
    parser.add_argument("--epochs", type=float, default=200)
    parser.add_argument("--out")
    arguments = parser.parse_args()
    hybrid = trained("hybrid", HYBRID, arguments.hybrid_epochs, arguments)
    teacher = Path(arguments.folder) / "hybrid"
    base = trained("vit", BASE, arguments.epochs, arguments, teacher=teacher)
    rows = [
        [
            name,
            f"{spec.macs / 1e6:.0f}",
            f"{spec.params / 1e6:.2f}",
            f"{report['epochs']:g}",
            f"{ASKED[name]:.0%}",
            f"{report['top1']:.2%}",
        ]
        for name, spec, report in (("hybrid", HYBRID, hybrid), ("vit", BASE, base))
    ]
    columns = ["model", "MMACs", "million parameters", "epochs", "asked", "top-1"]
    publish(
        heading("A base that is trained to its end") + "\n" + table(columns, rows), arguments.out
    )


if __name__ == "__main__":
    main()
