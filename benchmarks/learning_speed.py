"""What a ViT learns in a few hundred steps, by its initial weights and its optimizer.

    python benchmarks/learning_speed.py --data cifar10 [--steps 400] [--seeds 0,1]
        [--rates 1e-3,2e-3] [--out docs/results/learning_speed.md]

The ViT of base_vit.py, from labels alone. Each run is a whole schedule: up to the learning rate,
and down a cosine to 0. Sixteen runs of some three minutes on two cores that compute in bf16.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import vitprof
from base_vit import BASE
from report import heading, publish, table

KINDS = [(init, by) for init in ("default", "mimetic") for by in ("adamw", "muon")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--rates", default="1e-3,2e-3", help="learning rates")
    parser.add_argument("--out")
    arguments = parser.parse_args()
    rows = []
    for init, optimizer in KINDS:
        for rate in map(float, arguments.rates.split(",")):
            found, seconds = [], []
            for seed in map(int, arguments.seeds.split(",")):
                with tempfile.TemporaryDirectory() as folder:
                    began = time.monotonic()
                    run = vitprof.train(
                        BASE,
                        arguments.data,
                        out=Path(folder) / "run",
                        init=init,
                        optimizer=optimizer,
                        learning_rate=rate,
                        limit_batches=arguments.steps,
                        augment="light",
                        autocast="auto",
                        seed=seed,
                        progress=True,
                    )
                    seconds.append(time.monotonic() - began)
                    found.append(run.top1)
            rows.append(
                [
                    init,
                    optimizer,
                    f"{rate:g}",
                    " / ".join(f"{top1:.1%}" for top1 in found),
                    f"{statistics.mean(found):.1%}",
                    f"{statistics.mean(seconds):.0f}",
                ]
            )
    columns = ["initial weights", "optimizer", "learning rate", "top-1 by seed", "mean", "seconds"]
    text = f"{arguments.steps} steps of 128 images, from labels alone; seconds include the test.\n"
    publish(f"{heading('Learning speed')}\n{text}\n{table(columns, rows)}", arguments.out)


if __name__ == "__main__":
    main()
