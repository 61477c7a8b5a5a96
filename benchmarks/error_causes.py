"""With what a table's errors go: correlations with features of the models that it was validated on.

    python benchmarks/error_causes.py litert-vit.csv litert-vit.models.csv [--samples 50] [--seed 0]

The second file is what `vitprof validate --out` wrote of random `vit` models; give the samples and
the seed that it was given.
"""

from __future__ import annotations

import argparse
import csv
import random
from pathlib import Path

import numpy as np
from report import table
from vitprof.models import Spec
from vitprof.profiler.validation.drawing import draw_for
from vitprof.tables import LatencyTable


def features(spec: Spec) -> dict[str, float]:
    """Return what may matter of a ViT; dims that differ by block are means."""
    blocks = spec.blocks()
    attention = [dict(one.dims) for one in blocks if one.op == "attention"]
    mlp = [dict(one.dims) for one in blocks if one.op == "mlp"]
    embed = attention[0]["embed"]
    macs = sum(one.macs for one in blocks)
    return {
        "width": embed,
        "width mod 64": embed % 64,
        "depth": len(attention),
        "heads": float(np.mean([one["heads"] for one in attention])),
        "qk": float(np.mean([one["qk"] for one in attention])),
        "v": float(np.mean([one["v"] for one in attention])),
        "mlp over width": float(np.mean([one["mlp"] for one in mlp])) / embed,
        "attention's share of MACs": sum(b.macs for b in blocks if b.op == "attention") / macs,
    }


def print_steps(lut: LatencyTable) -> None:
    """Print what was found between the tiles of the runtime, if it has any."""
    for op in lut.ops:
        steps = lut.grids(op).parts[-1].steps
        for axis, factors in steps.factors.items() if steps else ():
            measured = ", ".join(f"{n}: {factors[n]:.3f}" for n in sorted(steps.probes[axis]))
            print(f"{op}, {axis}: {measured}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("models", type=Path)
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    lut = LatencyTable.read_csv(given.table)
    draw, rng = draw_for(lut), random.Random(f"validate {given.seed}")
    drawn = {f"unseen-{n}": draw(rng, f"unseen-{n}") for n in range(given.samples)}
    of_models, errors = [], []
    for line in csv.DictReader(given.models.open()):
        spec = drawn[line["model"]]
        told = lut.predict(spec).ms
        if abs(told - float(line["predicted_ms"])) > 1e-3 * told:
            raise SystemExit(f"{line['model']} is another model: give the samples and seed used")
        errors.append(told / float(line["measured_ms"]) - 1)
        of_models.append(features(spec))
    rows = []
    for name in of_models[0]:
        values = np.array([one[name] for one in of_models])
        if np.ptp(values):
            rows.append([name, f"{np.corrcoef(values, errors)[0, 1]:+.2f}"])
    scatter = np.std(np.log1p(errors))
    print(f"{len(errors)} models, mean error {np.mean(errors):+.1%}, scatter {scatter:.1%}\n")
    print_steps(lut)
    print(table(("feature", "correlation with predicted over measured"), rows))


if __name__ == "__main__":
    main()
