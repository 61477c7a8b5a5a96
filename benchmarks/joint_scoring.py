"""What `prune --method optin --score joint` takes: docs/results/optin-scoring.md.

    python benchmarks/joint_scoring.py [--model NAME ...] [--layers N] [--images N] [--fitted N]

Random weights and images: the time does not depend on them. Of a large model some layers are
scored, and the rest of its time is computed from them. Seconds of the processor, one thread.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import torch
from report import heading, publish, table
from vitprof import create_model
from vitprof.compress.optin.joint_scores import joint_scores
from vitprof.compress.optin.walk import Walk, walk_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append")
    parser.add_argument("--layers", type=int, default=3, help="layers that are scored")
    parser.add_argument("--images", type=int, default=32, help="that judge")
    parser.add_argument("--fitted", type=int, default=512, help="that last layers are fitted to")
    parser.add_argument("--out")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row_of(name, asked) for name in asked.model or ["deit-tiny", "deit-small"]]
    names = ("model", "layers scored", "units", "passes without scores", "all units")
    publish(heading("OPTIN's joint scores") + "\n" + table(names, rows), asked.out)


def row_of(name: str, asked: argparse.Namespace) -> list[str]:
    torch.manual_seed(0)
    walk = walk_of(create_model(name).eval())
    layers = sorted({walk.layers[source.step] for source in walk.sources})
    # From the first to the last: a later layer has fewer steps after it.
    places = torch.linspace(0, len(layers) - 1, min(asked.layers, len(layers))).round().int()
    taken = {layers[place] for place in places.tolist()}
    some = [source for source in walk.sources if walk.layers[source.step] in taken]
    passes = seconds_of(replace(walk, sources=[]), asked)
    scored = seconds_of(replace(walk, sources=some), asked) - passes
    return [
        name,
        f"{len(taken)} of {len(layers)}",
        str(sum(source.structure.units for source in walk.sources)),
        f"{passes:.0f} s",
        f"{(passes + scored * len(layers) / len(taken)) / 60:.1f} min",
    ]


def seconds_of(walk: Walk, asked: argparse.Namespace) -> float:
    side = walk.model.spec.resolution  # type: ignore[union-attr]
    images = torch.randn(asked.fitted + asked.images, 3, side, side)
    started = time.process_time()
    joint_scores(walk, images[: asked.fitted], images[asked.fitted :], 4.0, {})
    return time.process_time() - started


if __name__ == "__main__":
    main()
