"""The search for masks against every mask there is, and its time: docs/results/mask-search.md.

    python benchmarks/mask_search.py [--most 100000]

Half a minute on one core, two to three minutes with the most units; no runtime and no data.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from report import heading, publish, table
from small_masks import KINDS, SmallMasks
from vitprof import create_spec
from vitprof.compress.groups import Groups
from vitprof.compress.optin.mask_search import MaskSearch, Order
from vitprof.models import Spec, ViTSpec
from vitprof.models.structures.prunable import prunable_of
from vitprof.models.structures.structure import Kind, Structure

CASES = 60
# Two sums of the same scores in another order.
SAME = 1 - 1e-9
ORDERS: Mapping[Order, str] = {"both": "by score alone", "best": "by score and cost"}
COUNTS = (100, 1_000, 10_000, 100_000)
SHARES = (0.9, 0.8, 0.7, 0.6, 0.5)


def against_every_mask() -> str:
    rows = []
    for kind in KINDS:
        cases = [SmallMasks.drawn(kind, seed) for seed in range(CASES)]
        for order, title in ORDERS.items():
            shares, seconds, over = [], 0.0, 0
            for case in cases:
                search, started = case.search(), time.process_time()
                staying = search.choose(case.budget, order)
                seconds += time.process_time() - started
                shares.append(case.total(staying) / case.best)
                widths = {name: len(units) for name, units in staying.items()}
                over += case.cost_of([search.spec_of(widths)])[0] > case.budget
            rows.append(
                [
                    kind,
                    title,
                    f"{sum(share >= SAME for share in shares)} of {CASES}",
                    f"{min(shares):.4f}",
                    f"{np.mean(shares):.4f}",
                    str(over),
                    f"{1000 * seconds / CASES:.1f}",
                ]
            )
    names = ("costs", "search", "best found", "worst", "mean", "over budget", "ms a search")
    return table(names, rows)


def drawn_scores(structures: Sequence[Structure], seed: int) -> dict[str, torch.Tensor]:
    """Return scores that fall off as a real model's do: a few units matter most."""
    rng = np.random.default_rng(seed)
    return {
        s.name: torch.tensor(rng.exponential(16.0 if s.kind == "heads" else 1.0, s.units))
        for s in structures
    }


def macs_of(specs: Sequence[Spec]) -> np.ndarray:
    return np.array([spec.macs for spec in specs], dtype=float)


def search_of(spec: Spec, kinds: Sequence[Kind], groups: Groups, seed: int = 0) -> MaskSearch:
    prunable = prunable_of(spec)
    structures = [s for s in prunable.structures(spec, True) if s.kind in kinds]
    scores = drawn_scores(structures, seed)
    with_units = partial(prunable.with_units, spec)
    return MaskSearch.of(structures, scores, groups, with_units, macs_of)


def swin_t() -> str:
    """Return what is lost of a Swin-T's score; 16 of its neurons save 9.6 to 1.2 MMACs by stage."""
    spec = create_spec("swin-tiny")
    search = search_of(spec, ["mlp"], Groups())
    full = sum(float(x.scores[-1]) for x in search.ladders)
    rows = []
    for share in SHARES:
        budget = share * spec.macs
        lost = [1 - scored(search, search.choose(budget, order)) / full for order in ORDERS]
        rows.append([f"{share}x", *(f"{each:.2%}" for each in lost), f"{lost[0] / lost[1]:.2f} ×"])
    return table(("MACs", *(f"lost {title}" for title in ORDERS.values()), "ratio"), rows)


def scored(search: MaskSearch, staying: Mapping[str, torch.Tensor]) -> float:
    found = 0.0
    for ladder in search.ladders:
        step = np.flatnonzero(ladder.widths == len(staying[ladder.name]))
        found += float(ladder.scores[step[0]])
    return found


def growth(most: int) -> str:
    """Return seconds by units: twelve layers whose neurons go one by one, and a DeiT-S's groups."""
    rows = []
    for count in (count for count in COUNTS if count <= most):
        spec = ViTSpec.uniform(384, 12, 6, mlp=count // 12, qk=64, v=64, name="grown")
        rows.append(timed(f"{count:,} units one by one", search_of(spec, ["heads", "mlp"], ONES)))
    spec = create_spec("deit-small")
    rows.append(timed("DeiT-S, heads and 16 neurons", search_of(spec, ["heads", "mlp"], ONE_HEAD)))
    return table(("model", "widths", "s", "s for another budget", "µs a width"), rows)


ONES = Groups.of("heads=1,mlp=1", 6)
ONE_HEAD = Groups.of("heads=1,mlp=16", 6)


def timed(title: str, search: MaskSearch) -> list[str]:
    full = search.spec_of({x.name: int(x.widths[-1]) for x in search.ladders}).macs
    seconds = []
    # What widths cost is asked once for all budgets.
    for share in (0.6, 0.7):
        started = time.process_time()
        search.choose(share * full)
        seconds.append(time.process_time() - started)
    widths = sum(len(x.widths) for x in search.ladders)
    each = f"{1e6 * seconds[0] / widths:.0f}"
    return [title, f"{widths:,}", *(f"{each:.3f}" for each in seconds), each]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=COUNTS[-1])
    parser.add_argument("--out", help="Write the page there too.")
    arguments = parser.parse_args()
    parts = [
        heading("The search for masks"),
        f"{CASES} small models of each kind of costs, every mask of which is looked at "
        "(`benchmarks/small_masks.py`); asked: the best found in at least 58.\n",
        against_every_mask(),
        "Neurons of a Swin-T in groups of 16, which save 9.6, 4.8, 2.4 or 1.2 MMACs by stage; the "
        "share that is lost of scores drawn at random:\n",
        swin_t(),
        "Seconds of one processor, at 0.6 × the MACs:\n",
        growth(arguments.most),
    ]
    publish("\n".join(parts), arguments.out)


if __name__ == "__main__":
    main()
