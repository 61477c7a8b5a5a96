"""How long a training step takes: fp32 and bf16, whole images and half of the patches.

    python benchmarks/training_step.py [--batch 128] [--out docs/results/training_step.md]

The ViT of base_vit.py on random images. All kinds take one step after the other, in turns, so
that each meets the same machine; what is shown are medians. A minute.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from base_vit import BASE
from report import heading, publish, table
from vitprof import create_model
from vitprof.models.modules.fused_attention import with_fused_attention
from vitprof.training.data.datasets import load_dataset
from vitprof.training.distillation import DistillationLoss
from vitprof.training.loop import TrainingPlan, TrainingRun

# Number format, share of the patches left out, fused attention, torch.compile.
KINDS = [
    (autocast, share, fused, compiled)
    for autocast in ("fp32", "bf16")
    for share in (0.0, 0.5)
    for fused, compiled in ((False, False), (True, False), (False, True))
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--out")
    arguments = parser.parse_args()
    drawn = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        file, count = Path(folder) / "images.npz", 2 * arguments.batch
        pixels = drawn.integers(0, 256, (count, 3, 32, 32), np.uint8)
        labels = np.arange(count) % 10
        np.savez(file, images=pixels, labels=labels, test_images=pixels, test_labels=labels)
        data = load_dataset(str(file), BASE.resolution)
        runs = []
        for autocast, share, fused, compiled in KINDS:
            plan = TrainingPlan(
                batch=arguments.batch,
                epochs=arguments.steps,
                autocast=autocast,
                patch_dropout=share,
                compile=compiled,
            )
            model = create_model(BASE)
            if fused:
                model = with_fused_attention(model)
            runs.append(TrainingRun(model, data, data.normalisation, plan, DistillationLoss()))
        steps = [run.steps() for run in runs]
        for _ in range(2):
            for each in steps:
                next(each)
        seconds: list[list[float]] = [[] for _ in runs]
        for _ in range(arguments.steps):
            for each, times in zip(steps, seconds, strict=True):
                began = time.perf_counter()
                next(each)
                times.append(time.perf_counter() - began)
    medians = [statistics.median(times) for times in seconds]
    rows = [
        [
            autocast,
            f"{1 - share:.0%}",
            "fused" if fused else "plain",
            "yes" if compiled else "no",
            f"{1e3 * median:.0f}",
            f"{arguments.batch / median:.0f}",
            f"{median / medians[0]:.2f} ×",
        ]
        for (autocast, share, fused, compiled), median in zip(KINDS, medians, strict=True)
    ]
    columns = ["autocast", "patches seen", "attention", "compiled", "ms", "images/s", "time"]
    text = (
        f"A batch of {arguments.batch} images of 32², {torch.get_num_threads()} threads; "
        f"medians of {arguments.steps} steps, in turns; "
        "time as a share of the first row's.\n\n"
    )
    publish(f"{heading('A training step')}\n{text}{table(columns, rows)}", arguments.out)


if __name__ == "__main__":
    main()
