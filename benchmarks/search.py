"""Searching under a table: the coarse stage, and what a search finds: docs/results/search.md.

    vitprof supernet --space benchmarks/spaces/autovit-cifar.toml --data CIFAR_FOLDER \\
        --validation 5000 --epochs 16 --autocast fp32 --out supernet
    python benchmarks/search.py --supernet supernet --data CIFAR_FOLDER [--folder search-run]

For each seed a search that only knows MACs comes first; then the table is measured, and its winner,
whose latency is the limit of the search that knows the table, and of 50 random models. All winners
are measured side by side at the end. The folder keeps tables, evaluations and measurements: the
same call goes on from there. About an hour on two cores, which should be quiet.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from fidelity import vitprof
from report import heading, publish, table
from vitprof import LatencyTable
from vitprof.profiler.deployed.process_memory import peak_resident_bytes
from vitprof.profiler.remeasure import verified_ms
from vitprof.ray_connection import local_ray
from vitprof.search.algorithms.coarse_stage import coarse_stage
from vitprof.search.algorithms.registry import run_search
from vitprof.search.costs import CostModel
from vitprof.search.evaluation_log import EvaluationLog, key_of
from vitprof.search.evaluators.ray_evaluator import RayEvaluator
from vitprof.search.evaluators.subnet_evaluator import CALIBRATION_IMAGES, SubnetEvaluator
from vitprof.search.goal import SearchGoal
from vitprof.search.limits import Limit, Limits
from vitprof.search.plan import SearchPlan
from vitprof.search.problem import SearchProblem
from vitprof.search.supernet.folder import read_supernet, weights_digest
from vitprof.search.supernet.recalibration import calibration_images
from vitprof.spaces.registry import find_search_space
from vitprof.training.data.datasets import load_dataset
from vitprof.training.data.held_out import some_of

SEEDS = (0, 1, 2)
RANDOM = 50
CANDIDATES = 1_000_000
# Of every point: a search picks what a table took for too fast, so its errors count twice.
SESSIONS = "7"
SHARES = (0.7, 1.0, 1.3)  # of the typical model's latency: limits of the searches without accuracy


# --- the coarse stage, in a process of its own on one core ---------------------------------------


def coarse_alone(path: str) -> None:
    """Draw a million candidates of autovit-xxs on one core; print seconds and memory as JSON."""
    os.sched_setaffinity(0, {0})
    started = time.perf_counter()
    latency_table = LatencyTable.read_csv(path)
    costs = CostModel(find_search_space("autovit-xxs"), [latency_table])
    prepared = time.perf_counter()
    typical = float(
        np.median(costs.of(costs.space.sample(np.random.default_rng(1), 10_000)).latency_ms)
    )
    limits = Limits((Limit("ms", typical), Limit("params", 1.8e6)))
    began = time.perf_counter()
    found = coarse_stage(costs.space, costs, limits, np.random.default_rng(0), CANDIDATES)
    seconds = time.perf_counter() - began
    # One by one, by the table's own answer: the same milliseconds.
    some = costs.space.sample(np.random.default_rng(2), 200)
    fast = costs.of(some).latency_ms[:, 0]
    slow = [latency_table.predict(costs.space.spec(row)).ms for row in some]
    print(
        json.dumps(
            {
                "prepare_s": prepared - started,
                "seconds": seconds,
                "per_s": CANDIDATES / seconds,
                "kept": found.kept,
                "peak_mib": peak_resident_bytes() / 2**20,
                "limit_ms": typical,
                "worst_difference": float(np.max(np.abs(fast / slow - 1))),
            }
        )
    )


def coarse(folder: Path, lut: str) -> dict:
    def run() -> dict:
        command = [sys.executable, __file__, "--coarse-alone", lut]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)

    return kept(folder / "coarse.json", run)


def kept(path: Path, make) -> dict:
    """Return what the file holds; make and write it where it is not there."""
    if not path.exists():
        path.write_text(json.dumps(make(), indent=2))
    return json.loads(path.read_text())


# --- what tables predict, and how they are searched without any accuracy -------------------------


def fidelity_of(folder: Path, lut: str, samples: str) -> dict | None:
    if samples == "0":
        return None
    name = f"{Path(lut).stem}-validate"
    return kept(
        folder / f"{name}.json",
        lambda: vitprof(
            "validate", "--table", lut, "--samples", samples, "--plot", str(folder / f"{name}.png")
        ),
    )


def proxy_searches(folder: Path, lut: str, typical_ms: float) -> list[dict]:
    found = []
    for share in SHARES:
        out = folder / f"proxy-{share}"
        limit = f"{share * typical_ms:.3f}ms"
        if not (out / "report.json").exists():
            vitprof(
                "search",
                "--space",
                "autovit-xxs",
                "--table",
                lut,
                "--max-latency",
                limit,
                "--proxy",
                "macs",
                "--out",
                str(out),
                "--verify",
            )
        found.append(json.loads((out / "report.json").read_text()))
    return found


# --- searching a supernet -------------------------------------------------------------------------


class Study:
    """A trained supernet, all that was evaluated so far and, once it is there, its table."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self.folder = folder
        found = read_supernet(Path(arguments.supernet))
        self.space, norm = found.record.space, found.norm
        data = load_dataset(arguments.data, found.supernet.spec.resolution)
        train, held_out = found.record.parts(data.train)
        calibration = calibration_images(train, CALIBRATION_IMAGES)
        digest = weights_digest(Path(arguments.supernet))

        def judge(images, images_are: str = "test images") -> SubnetEvaluator:
            return SubnetEvaluator(
                self.space, found.supernet, images, norm, calibration, images_are=images_are
            )

        self.judges = {
            "validation": judge(some_of(held_out, arguments.images), "held-out images"),
            "test": judge(some_of(data.test, arguments.test_images)),
            "whole test": judge(data.test),
        }
        self.logs = {
            name: EvaluationLog(
                folder / f"{name.replace(' ', '-')}.jsonl",
                {
                    "seed": 0,
                    "space": self.space.to_dict(),
                    "weights": digest,
                    "images": len(each.images),
                },
            )
            for name, each in self.judges.items()
        }
        self.costs = CostModel(self.space)
        self.workers = arguments.workers
        self.plan = SearchPlan(generations=arguments.generations)

    def use(self, table: LatencyTable) -> None:
        self.table = table
        self.costs = CostModel(self.space, [table])

    def search(self, limit: Limit, seed: int, ray) -> np.ndarray:
        problem = self._problem(limit, "validation", ray)
        run_search(problem, "coarse-to-fine", self.plan, seed)
        return problem.best()

    def figures(self, population: np.ndarray, part: str, ray) -> np.ndarray:
        return self._problem(None, part, ray).evaluate(population)

    def _problem(self, limit: Limit | None, part: str, ray) -> SearchProblem:
        limits = Limits(() if limit is None else (limit,))
        evaluator = RayEvaluator(self.judges[part], ray)
        return SearchProblem(
            self.space, self.costs, limits, SearchGoal(), evaluator, self.logs[part]
        )

    def random_at(self, limit_ms: float, seed: int) -> np.ndarray:
        """Return 50 different random models between nine tenths of the limit and the limit."""
        rng = np.random.default_rng([seed, 50])
        found: dict[tuple[int, ...], np.ndarray] = {}
        while len(found) < RANDOM:
            drawn = self.space.sample(rng, 4096)
            ms = self.costs.of(drawn).latency_ms[:, 0]
            for row in drawn[(ms <= limit_ms) & (ms > 0.9 * limit_ms)]:
                if len(found) < RANDOM:
                    found[key_of(row)] = row
        return np.array(list(found.values()))

    def measured(self, population: np.ndarray, name: str) -> list[float]:
        def run() -> dict:
            specs = [self.space.spec(row, f"{name}-{i}") for i, row in enumerate(population)]
            ms, stable = verified_ms(self.table, specs, "benchmarks/search.py")
            return {"candidates": population.tolist(), "ms": ms, "stable": stable}

        record = kept(self.folder / f"measured-{name}.json", run)
        assert record["candidates"] == population.tolist(), f"measured-{name}.json is of others"
        return record["ms"]


def searched(study: Study, measure_table: Callable[[], LatencyTable]) -> list[dict]:
    """Return what both searches and the random models came to, seed by seed.

    The table is measured once the searches that know only MACs are done: right before their
    winners, which it shares a limit with, so that the machine is in the same state for both.
    """
    typical = float(
        np.median(study.costs.of(study.space.sample(np.random.default_rng(1), 10_000)).macs)
    )
    by_macs = Limit("macs", typical)
    started = time.perf_counter()
    with local_ray(study.workers) as ray:
        macs_winners = np.array([study.search(by_macs, seed, ray) for seed in SEEDS])
    print(f"guided by MACs: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    study.use(measure_table())
    limits_ms = study.measured(macs_winners, "macs-winners")
    started = time.perf_counter()
    with local_ray(study.workers) as ray:
        winners = np.array(
            [
                study.search(Limit("ms", ms), seed, ray)
                for seed, ms in zip(SEEDS, limits_ms, strict=True)
            ]
        )
        print(f"guided by the table: {time.perf_counter() - started:.0f} s", file=sys.stderr)
        drawn = [study.random_at(ms, s) for s, ms in zip(SEEDS, limits_ms, strict=True)]
        both = np.concatenate([winners, macs_winners])
        parts = {
            part: study.figures(both, part, ray) for part in ("validation", "test", "whole test")
        }
        at_random = [
            {part: study.figures(rows, part, ray) for part in ("validation", "test")}
            for rows in drawn
        ]
    again = study.measured(both, "winners")
    predicted = study.costs.of(both)
    count = len(SEEDS)
    return [
        {
            "seed": seed,
            "limit_ms": limits_ms[i],
            **{
                guide: {
                    "predicted_ms": float(predicted.latency_ms[at, 0]),
                    "measured_ms": again[at],
                    "macs": int(predicted.macs[at]),
                    "params": int(predicted.params[at]),
                    **{part: float(values[at]) for part, values in parts.items()},
                }
                for guide, at in (("table", i), ("macs", count + i))
            },
            "random": {
                part: {"mean": float(v.mean()), "best": float(v.max())}
                for part, v in at_random[i].items()
            },
        }
        for i, seed in enumerate(SEEDS)
    ]


# --- the report -----------------------------------------------------------------------------------


def percent(value: float) -> str:
    return f"{100 * value:.2f}"


def report(arguments: argparse.Namespace, parts: dict) -> str:
    speed, rows, proxies = parts["coarse"], parts["searched"], parts["proxies"]
    won = [row["table"] for row in rows] + [
        {
            "predicted_ms": m["predicted_ms"][0],
            "measured_ms": m["measured_ms"][0],
            "limit_ms": report["target_ms"],
        }
        for report in proxies
        for m in (report["best"],)
    ]
    for row, winner in zip(rows, won, strict=False):
        winner["limit_ms"] = row["limit_ms"]
    off = [w["measured_ms"] / w["predicted_ms"] - 1 for w in won]
    over = [w["measured_ms"] / w["limit_ms"] - 1 for w in won]
    gains = [100 * (r["table"]["whole test"] - r["macs"]["whole test"]) for r in rows]
    held = [100 * (r["table"]["validation"] - r["macs"]["validation"]) for r in rows]
    figures = [
        ["coarse stage: candidates a second, one core", "≥ 100,000", f"{speed['per_s']:,.0f}"],
        [
            "10⁶ candidates of autovit-xxs",
            "≤ 15 s, ≤ 1 GB",
            f"{speed['seconds']:.2f} s ({speed['prepare_s']:.1f} s before that to read the table "
            f"and ask it), {speed['peak_mib']:.0f} MiB",
        ],
        [
            "winners' measured latency against predicted",
            "within 5 %",
            f"{min(off):+.1%} to {max(off):+.1%}",
        ],
        [
            "winners over their limit",
            "the noise floor at most",
            f"{max(over):+.1%} at worst; two sessions of one point differ by "
            f"{parts['session_sd']['cifar']:.1%} (32²) and {parts['session_sd']['xxs']:.1%} "
            "(autovit-xxs)",
        ],
        [
            "found minus best of 50 random, validation, points",
            "> 0, three seeds",
            ", ".join(
                f"{100 * (r['table']['validation'] - r['random']['validation']['best']):+.2f}"
                for r in rows
            ),
        ],
        [
            "found minus mean of 50 random, test, points",
            "> 0, three seeds",
            ", ".join(
                f"{100 * (r['table']['test'] - r['random']['test']['mean']):+.2f}" for r in rows
            ),
        ],
        [
            "guided by the table minus by MACs, validation, points",
            "≥ 0",
            ", ".join(f"{gain:+.2f}" for gain in held),
        ],
        [
            "the same on all 10,000 test images, points",
            "≥ 0",
            f"{', '.join(f'{gain:+.2f}' for gain in gains)}; mean {np.mean(gains):+.2f}",
        ],
    ]
    if parts["xxs"] is not None:
        errors = parts["xxs"]["table"]
        figures += [
            ["50 unseen subnets of autovit-xxs (Fig. 6): MAPE", "≤ 2.5 %", f"{errors['mape']:.2%}"],
            [
                "within ±10 %; Kendall τ",
                "≥ 99 %; ≥ 0.95",
                f"{errors['within_10']:.0%}; {errors['kendall_tau']:.3f}",
            ],
        ]
    seeds = [
        [
            str(r["seed"]),
            guide,
            f"{r['limit_ms']:.3f}",
            f"{w['predicted_ms']:.3f}",
            f"{w['measured_ms']:.3f}",
            f"{w['macs'] / 1e6:.1f}",
            f"{w['params'] / 1e3:.0f}",
            percent(w["validation"]),
            percent(w["test"]),
            percent(w["whole test"]),
        ]
        for r in rows
        for guide, w in (("table", r["table"]), ("MACs", r["macs"]))
    ]
    chance = [
        [
            str(r["seed"]),
            f"{r['limit_ms']:.3f}",
            *(
                percent(r["random"][part][which])
                for part in ("validation", "test")
                for which in ("mean", "best")
            ),
        ]
        for r in rows
    ]
    without = [
        [
            f"{p['target_ms']:.3f}",
            f"{m['predicted_ms'][0]:.3f}",
            f"{m['measured_ms'][0]:.3f}",
            f"{m['measured_ms'][0] / m['predicted_ms'][0] - 1:+.1%}",
            f"{m['macs'] / 1e6:.0f}",
        ]
        for p in proxies
        for m in (p["best"], *(f for f in p["front"] if f["measured_ms"][0] is not None))
    ]
    fidelity = [
        [
            name,
            f"{e['mape']:.2%}",
            f"{e['bias']:+.2%}",
            f"{e['worst']:.1%}",
            f"{e['within_5']:.0%}",
            f"{e['within_10']:.0%}",
            f"{e['kendall_tau']:.3f}",
        ]
        for space, key in (("autovit-xxs, 256²", "xxs"), ("autovit-cifar, 32²", "cifar"))
        if parts[key] is not None
        for name, e in (
            (f"{space}: table", parts[key]["table"]),
            (f"{space}: a·MACs + b", parts[key]["rivals"]["macs_line"]),
            (f"{space}: noise floor", parts[key]["noise_floor"]),
        )
    ]
    return (
        heading("Searching under a table")
        + "\n"
        + table(("what", "target", "measured"), figures)
        + f"\nThe coarse stage alone: latency and parameters of all, {speed['kept']:,} kept both "
        f"limits ({speed['limit_ms']:.2f} ms, 1.8 M); the milliseconds of 200 of them differ by "
        f"{speed['worst_difference']:.0e} at most from `LatencyTable.predict`.\n"
        "\n## On a supernet\n\n"
        f"A supernet of the space `benchmarks/spaces/autovit-cifar.toml` on CIFAR-10, judged by "
        f"{arguments.images} of its 5,000 held-out images, {arguments.generations} generations of "
        f"50, {arguments.workers} workers. The MACs-guided search has the MACs of a typical model "
        "for a limit; the latency measured of its winner is the limit of the table-guided one. "
        "Accuracies in percent.\n\n"
        + table(
            (
                "seed",
                "guided by",
                "limit, ms",
                "predicted",
                "measured",
                "MMACs",
                "k params",
                "validation",
                f"{arguments.test_images} test images",
                "all test images",
            ),
            seeds,
        )
        + f"\nOf {RANDOM} random models between nine tenths of the limit and the limit:\n\n"
        + table(("seed", "limit, ms", "validation: mean", "best", "test: mean", "best"), chance)
        + "\n## Without any accuracy: autovit-xxs at 256², the most MACs\n\n"
        "The winner of each limit, then models of its front:\n\n"
        + table(("limit, ms", "predicted", "measured", "off by", "MMACs"), without)
        + (
            f"\n## Unseen models of both spaces, measured twice ({arguments.samples} each)\n\n"
            + table(("prediction", "MAPE", "bias", "worst", "±5 %", "±10 %", "τ"), fidelity)
            if fidelity
            else ""
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coarse-alone", help=argparse.SUPPRESS)
    parser.add_argument("--supernet", default="supernet")
    parser.add_argument("--data", default="cifar10_jpeg")
    parser.add_argument("--space", default="spaces/autovit-cifar.toml")
    parser.add_argument("--folder", default="search-run")
    parser.add_argument("--out")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--test-images", type=int, default=2000)
    parser.add_argument("--generations", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--samples", default="50", help="Unseen models of each space; 0 leaves them out."
    )
    arguments = parser.parse_args()
    if arguments.coarse_alone:
        coarse_alone(arguments.coarse_alone)
        return
    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    xxs, cifar = str(folder / "autovit-xxs.csv"), str(folder / "autovit-cifar.csv")

    def measured(space: str, lut: str) -> LatencyTable:
        vitprof("measure", "--space", space, "--sessions", SESSIONS, "--out", lut)
        return LatencyTable.read_csv(lut)

    study = Study(arguments, folder)
    parts = {"searched": searched(study, lambda: measured(arguments.space, cifar))}
    tables = {"cifar": study.table, "xxs": measured("autovit-xxs", xxs)}
    parts["session_sd"] = {name: table.header.session_sd for name, table in tables.items()}
    parts["coarse"] = coarse(folder, xxs)
    parts["proxies"] = proxy_searches(folder, xxs, parts["coarse"]["limit_ms"])
    parts["xxs"] = fidelity_of(folder, xxs, arguments.samples)
    parts["cifar"] = fidelity_of(folder, cifar, arguments.samples)
    publish(report(arguments, parts), arguments.out)


if __name__ == "__main__":
    main()
