"""Which reference block follows whole models' drift best?

    python benchmarks/reference_block.py [--out docs/results/reference_block.md]

Whole models are run in fresh sessions, every run next to runs of several candidate references. For
each candidate: how far do two measurements of a model differ, each the median of three sessions?
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence

import numpy as np
from report import heading, publish, table
from vitprof.backends import OnnxRuntimeBackend
from vitprof.models import Block
from vitprof.profiler.plan import Plan
from vitprof.profiler.sampling.reference import choose_references
from vitprof.profiler.target import Target
from vitprof.profiler.workshop import Workshop
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables import Setting

CPU = Target(OnnxRuntimeBackend(), Setting("cpu", "onnxruntime"))
SESSIONS, ROUNDS, MODELS, ALIVE = 8, 6, 8, 4
# One measurement: (session, model, milliseconds of the model, of each reference).
Sampled = tuple[int, int, float, list[float]]


def milliseconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - started)


def sample(references: Sequence[Block]) -> list[Sampled]:
    rng, space = random.Random(11), ViTSlabs()
    models = [space.sample(rng, name=f"model-{i}") for i in range(MODELS)]
    found: list[Sampled] = []
    with Workshop(CPU) as workshop:
        opened = [workshop.fresh_session((block,)) for block in references]
        for session in range(SESSIONS):
            order = list(range(MODELS))
            rng.shuffle(order)
            for start in range(0, MODELS, ALIVE):
                group = order[start : start + ALIVE]
                alive = {i: workshop.fresh_session(models[i]) for i in group}
                for _ in range(ROUNDS):
                    for i in group:
                        alive[i].run()
                        readings = []
                        for reference in opened:
                            reference.run()
                            readings.append(milliseconds(reference.run))
                        found.append((session, i, milliseconds(alive[i].run), readings))
                for executable in alive.values():
                    executable.close()
        for executable in opened:
            executable.close()
    return found


def noise(samples: Sequence[Sampled], value: Callable[[float, list[float]], float]) -> list[str]:
    """Spread between sessions, and mean difference of two medians of three sessions, in %."""
    medians = np.array(
        [
            [
                np.median(
                    [value(ms, refs) for s, i, ms, refs in samples if (s, i) == (session, model)]
                )
                for model in range(MODELS)
            ]
            for session in range(SESSIONS)
        ]
    )
    spread = np.log(medians).std(axis=0, ddof=1).mean()
    rng, differences = np.random.default_rng(0), []
    for _ in range(500):
        chosen = rng.permutation(SESSIONS)
        first, second = (np.median(medians[chosen[i : i + 3]], axis=0) for i in (0, 3))
        differences.append(np.abs(first / second - 1).mean())
    return [f"{spread:.2%}", f"{np.mean(differences):.2%}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out")
    arguments = parser.parse_args()
    chosen = choose_references(Plan.of_blocks(ViTSlabs().blocks())).blocks
    assert isinstance(chosen, Block)
    candidates = [
        Block.of("mlp", embed=192, mlp=768, tokens=197),
        Block.of("mlp", embed=384, mlp=1536, tokens=197),
        Block.of("mlp", embed=576, mlp=2304, tokens=197),
        Block.of("attention", embed=384, heads=6, qk=64, v=64, tokens=197),
        Block.of("attention", embed=768, heads=12, qk=64, v=64, tokens=197),
        chosen,
    ]
    samples = sample(candidates)
    rows = [["none: raw medians", "", *noise(samples, lambda ms, _: ms)]]
    for n, block in enumerate(candidates):
        typical = float(np.median([refs[n] for *_, refs in samples]))
        mark = " (chosen)" if block == chosen else ""
        rows.append(
            [
                f"{block}{mark}",
                f"{typical:.2f}",
                *noise(samples, lambda ms, refs, n=n: ms / refs[n]),
            ]
        )
    columns = ("reference", "ms", "sessions differ by (sd)", "two medians of three differ by")
    publish(heading("The reference block") + "\n" + table(columns, rows), arguments.out)


if __name__ == "__main__":
    main()
