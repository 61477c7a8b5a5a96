"""With what a table's errors go: correlations with features of the models that it was validated on.

    python benchmarks/error_causes.py litert-vit.csv litert-vit.models.csv [--samples 50] [--seed 0]

The second file is what `vitprof validate --out` wrote; give the samples and the seed that it was
given. Of many features some correlate by chance: with 20 models beyond 0.44 one of twenty does.
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

# Widths of matrices: what is left of them by a kernel's tile may matter.
WIDE, TILES = 64, (16, 64)
STRONGEST = 25


def features(spec: Spec) -> dict[str, float]:
    """Return what may matter of a model: of each op its share, and the mean of its dims."""
    blocks = spec.blocks()
    macs = sum(one.macs for one in blocks)
    found = {"blocks": float(len(blocks)), "MACs": float(macs)}
    for op in dict.fromkeys(one.op for one in blocks):
        own = [one for one in blocks if one.op == op]
        found[f"{op}: share of MACs"] = sum(one.macs for one in own) / macs
        for axis in dict(own[0].dims):
            values = np.array([one[axis] for one in own])
            found[f"{op}: {axis}"] = float(values.mean())
            if values.max() >= WIDE:
                for tile in TILES:
                    found[f"{op}: {axis} mod {tile}"] = float((values % tile).mean())
    return found


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
        predicted = lut.predict(spec).ms
        if abs(predicted - float(line["predicted_ms"])) > 1e-3 * predicted:
            raise SystemExit(f"{line['model']} is another model: give the samples and seed used")
        errors.append(predicted / float(line["measured_ms"]) - 1)
        of_models.append(features(spec))
    found = {}
    for name in dict.fromkeys(name for one in of_models for name in one):
        values = np.array([one.get(name, 0.0) for one in of_models])
        if np.ptp(values):
            found[name] = float(np.corrcoef(values, errors)[0, 1])
    strongest = sorted(found.items(), key=lambda one: -abs(one[1]))[:STRONGEST]
    rows = [[name, f"{value:+.2f}"] for name, value in strongest]
    scatter = np.std(np.log1p(errors))
    print(f"{len(errors)} models, mean error {np.mean(errors):+.1%}, scatter {scatter:.1%}\n")
    print_steps(lut)
    print(table(("feature", "correlation with predicted over measured"), rows))


if __name__ == "__main__":
    main()
