"""Predictions a second of lists of Spec objects, on one core: they grow with the list, no faster.

python benchmarks/prediction_growth.py [--most 100000] [--families vit,efficientvit]
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence

from report import heading, publish, table
from vitprof.models import Spec
from vitprof.spaces.registry import slabs_class
from vitprof.tables import LatencyTable, Row, Setting

COUNTS = (1_000, 10_000, 100_000)
FAMILIES = "vit,efficientvit,autovit,swin,bert,vgg"


def stand_in(family: str) -> LatencyTable:
    """The family's default grid with made-up latencies: speed does not depend on them."""
    rows = [Row(b, latency_ms=0.01 + b.macs / 5e7) for b in slabs_class(family).create().blocks()]
    return LatencyTable(rows, Setting("cpu", "onnxruntime"))


def random_specs(family: str, count: int) -> list[Spec]:
    space, rng = slabs_class(family).create(), random.Random(1)
    return [space.sample(rng, f"random-{n}") for n in range(count)]


def seconds_of(lut: LatencyTable, specs: Sequence[Spec]) -> float:
    """CPU seconds, so that others' load does not count."""
    started = time.process_time()
    lut.predict_many(specs)
    return time.process_time() - started


def lines_of(family: str, most: int) -> list[tuple[str, ...]]:
    lut, specs = stand_in(family), random_specs(family, most)
    lut.predict_many(specs[:10])  # the grids are made with the first question
    lines = []
    for count in (count for count in COUNTS if count <= most):
        taken = seconds_of(lut, specs[:count])
        lines.append(
            (
                family,
                f"{count:,}",
                f"{taken:.3f}",
                f"{taken / count * 1e6:.1f}",
                f"{count / taken:,.0f}",
            )
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=COUNTS[-1])
    parser.add_argument("--families", default=FAMILIES)
    parser.add_argument("--out", help="Write the page there too.")
    arguments = parser.parse_args()
    lines = [line for f in arguments.families.split(",") for line in lines_of(f, arguments.most)]
    columns = ("family", "specs", "CPU s", "µs a spec", "specs a second")
    publish(heading("Lists of specs") + "\n" + table(columns, lines), arguments.out)


if __name__ == "__main__":
    main()
