r"""The pick of a deployment space beside exhaustive measuring of a random part, and beside MACs.

    vitprof prune-heads --model vit --data cifar10 --levels 5 --out heads
    vitprof train --model benchmarks/specs/swin-32.json --data cifar10 --epochs 6 --out swin
    vitprof train --model benchmarks/specs/efficientvit-m0-128.json --data cifar10 --epochs 4 \
        --out efficientvit
    python benchmarks/deployment_space.py --models heads --models swin --models efficientvit \
        --data cifar10 --table vit_ort.csv --work work --out docs/results/deploy.md
    python benchmarks/deployment_space.py --quick --work quick

Everything that is measured is kept in the work folder; the same command continues from there.
"""

from __future__ import annotations

import argparse
import json
import math
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from report import heading, publish, table
from vitprof.errors import UserError
from vitprof.progress import shown_progress
from vitprof.search.deployment_space.deployment import Deployment, Way, every_deployment
from vitprof.search.deployment_space.knowledge import Knowledge
from vitprof.search.deployment_space.limits import Figures, Limits
from vitprof.search.deployment_space.policy import (
    RefusedError,
    choose_best,
    most_measurements,
    ranking,
)
from vitprof.verbs.deployments.files import DeploymentFiles, Workers
from vitprof.verbs.deployments.log import DeploymentLog, figures_of
from vitprof.verbs.deployments.machine import DeploymentMachine
from vitprof.verbs.deployments.measuring import Measuring
from vitprof.verbs.deployments.question import (
    judge_of,
    numbers_of,
    table_ms_of,
    tables_of,
    under,
    ways_of,
)
from vitprof.verbs.deployments.sources import variants_to_choose_from

AT = "typical"
RIVAL = Way("onnxruntime", "fp32", 1, 1)


@dataclass
class Asked:
    """All deployments, and what is known of them before any is measured."""

    machine: DeploymentMachine
    deployments: list[Deployment]
    accuracies: dict
    table_ms: dict

    def knowledge(self) -> Knowledge:
        return Knowledge(self.deployments, self.accuracies, self.table_ms)

    def measure(self, deployment: Deployment) -> Figures:
        """Return its figures, from the log where it was measured for anything before."""
        known = self.machine.known(deployment)
        if isinstance(known, str):
            raise RefusedError(known)
        if known is None:
            self.machine.record(deployment)
        return self.figures(deployment)

    def figures(self, deployment: Deployment) -> Figures:
        log = self.machine.log
        record = log.records[deployment.name]
        return figures_of(record, log.reference_ms(AT), 1, deployment.way.batch)


@dataclass(frozen=True)
class Answer:
    """One limit: the pick, the subset's best, MACs' answer, and the winner verified."""

    limit_ms: float
    tried: int
    pick: str
    accuracy: float
    subset: float
    by_macs: float
    macs_model: str
    predicted_ms: float
    chosen_ms: float
    verified_ms: float
    low_ms: float


def subset_of(asked: Asked, count: int, seed: int) -> list[Deployment]:
    """Measure so many random deployments; what is refused is replaced by the next."""
    order = np.random.default_rng(seed).permutation(len(asked.deployments))
    found: list[Deployment] = []
    for place in order:
        if len(found) == count:
            break
        one = asked.deployments[int(place)]
        try:
            asked.measure(one)
        except RefusedError as error:
            print(f"out: {one.name}: {error}")
            continue
        found.append(one)
        print(f"{len(found)} of {count} of the subset: {one.name}", flush=True)
    return found


def by_macs(asked: Asked, limit_ms: float) -> tuple[float, str]:
    """Return the accuracy and name of the best under the MACs that correspond to the limit.

    MACs know nothing of runtimes, so all run by RIVAL; the MACs allowed are the most whose most
    accurate model keeps the limit when measured.
    """
    variants = sorted(asked.accuracies, key=lambda one: one.macs)
    best, found = -math.inf, (-math.inf, "none keeps the limit")
    for one in variants:
        if asked.accuracies[one] <= best:
            continue
        best = asked.accuracies[one]
        try:
            figures = asked.measure(Deployment(one, RIVAL))
        except RefusedError:
            continue
        if figures.latency_ms <= limit_ms:
            found = (figures.accuracy, one.name)
    return found


def ask(asked: Asked, limit_ms: float, subset: list[Deployment]) -> Answer:
    """Answer one limit from nothing but tables and at most 5 % of measurements."""
    knowledge = asked.knowledge()
    limits = Limits(latency_ms=limit_ms)
    most = most_measurements(len(asked.deployments))
    found = choose_best(knowledge, limits, asked.measure, most)
    if found.best is None:
        raise UserError(f"nothing keeps {limit_ms:.4g} ms.")
    for place in knowledge.measured:
        knowledge.measured[place] = asked.figures(knowledge.deployments[place])
    if not ranking(knowledge, limits):
        raise UserError(f"nothing keeps {limit_ms:.4g} ms any more.")
    measuring = Measuring(asked.machine, knowledge, limits, AT, 1, tail=False)
    chosen = dict(knowledge.measured)
    winner = measuring.verified(lambda _: None)[0]
    unseen = asked.knowledge()
    unseen.measured = {k: v for k, v in knowledge.measured.items() if k != winner.place}
    predicted = unseen.predicted().figures(winner.place).latency_ms
    kept = [asked.figures(one) for one in subset]
    macs_accuracy, macs_model = by_macs(asked, limit_ms)
    return Answer(
        limit_ms,
        found.tried,
        knowledge.deployments[winner.place].name,
        knowledge.measured[winner.place].accuracy,
        max((one.accuracy for one in kept if one.latency_ms <= limit_ms), default=-math.inf),
        macs_accuracy,
        macs_model,
        predicted,
        chosen[winner.place].latency_ms,
        winner.latency_ms,
        winner.low_ms,
    )


def report_of(asked: Asked, subset: int, answers: list[Answer]) -> str:
    count = len(asked.deployments)
    families = {one.variant.family for one in asked.deployments}
    runtimes = {one.way.runtime for one in asked.deployments}
    rows = [
        (
            f"{one.limit_ms:.3g}",
            one.pick,
            f"{100 * one.accuracy:.2f}",
            f"{100 * one.subset:.2f}",
            f"{100 * (one.accuracy - one.subset):+.2f}",
            f"{100 * one.by_macs:.2f} ({one.macs_model})",
            f"{100 * (one.accuracy - one.by_macs):+.2f}",
            f"{one.tried} ({100 * one.tried / count:.1f} %)",
            f"{one.predicted_ms:.3g}",
            f"{one.verified_ms:.3g} ({100 * (one.verified_ms / one.predicted_ms - 1):+.1f} %)",
            "yes" if one.low_ms <= one.limit_ms else "no",
        )
        for one in answers
    ]
    columns = (
        "limit, ms",
        "pick",
        "top-1, %",
        f"best of {subset} random",
        "pick ahead",
        "by MACs",
        "ahead of MACs",
        "measured",
        "predicted, ms",
        "verified, ms",
        "within",
    )
    fair = [one for one in answers if math.isfinite(one.subset)]
    rival = [100 * (one.accuracy - one.by_macs) for one in answers if math.isfinite(one.by_macs)]
    off = [abs(one.verified_ms / one.predicted_ms - 1) for one in answers]
    again = [abs(one.verified_ms / one.chosen_ms - 1) for one in answers]
    summary = [
        f"{count} deployments of {len(families)} families by {len(runtimes)} runtimes.",
        f"The subset's best is ahead by {max(100 * (x.subset - x.accuracy) for x in fair):+.2f} "
        "points at most."
        if fair
        else "The subset keeps no limit.",
        f"Ahead of MACs by {np.mean(rival):+.2f} points in the mean, {min(rival):+.2f} at least."
        if rival
        else "MACs' answers keep no limit.",
        f"At most {max(one.tried for one in answers)} measurements a limit "
        f"({100 * max(one.tried for one in answers) / count:.1f} %).",
        f"Verified against predicted latency: {100 * np.mean(off):.1f} % off in the mean, "
        f"{100 * max(off):.1f} % at most.",
        f"Verified against the latency it was chosen by: {100 * np.mean(again):.1f} % off in the "
        f"mean, {100 * max(again):.1f} % at most.",
    ]
    return f"{table(columns, rows)}\n" + "\n".join(f"- {line}" for line in summary) + "\n"


def quick_models(work: Path) -> list[Path]:
    """Train two tiny models of digits, some seconds each."""
    import vitprof

    found = []
    for name, width in (("tiny", 32), ("small", 16)):
        spec = vitprof.ViTSpec.uniform(
            width, 2, 2, mlp=2 * width, resolution=8, patch=2, classes=10, in_channels=1
        )
        out = work / "trained" / name
        if not (out / "report.json").is_file():
            vitprof.train(spec, "digits", out=out, epochs=10, augment="none", autocast="fp32")
        found.append(out)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", action="append", type=Path, default=[])
    parser.add_argument("--data", default="digits")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out")
    parser.add_argument("--table", action="append", default=[])
    parser.add_argument("--runtimes", default="onnxruntime,openvino,torch")
    parser.add_argument("--dtypes", default="fp32,int8,int8-static")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--tokens", default="0,1,2,3,4,6,8")
    parser.add_argument("--resolutions", default="")
    parser.add_argument("--subnets", type=int, default=8)
    parser.add_argument("--judge-images", type=int, default=2000)
    parser.add_argument("--sessions", type=int, default=3)
    parser.add_argument("--subset", type=int, default=60)
    parser.add_argument("--limits", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="tiny models of digits, few of all")
    given = parser.parse_args()
    if given.quick:
        given.models, given.data = quick_models(given.work), "digits"
        given.runtimes, given.threads, given.tokens = "onnxruntime,openvino", "1", "0,2"
        given.judge_images, given.sessions, given.subset, given.limits = 60, 1, 4, 2
    with ExitStack() as stack:
        on_progress = stack.enter_context(shown_progress(progress=True))
        workers = stack.enter_context(Workers({}))
        ways = ways_of(
            given.runtimes, given.dtypes, numbers_of("threads", given.threads, 1), [1], workers
        )
        judge = judge_of(given.data, given.judge_images, on_progress)
        pixels = numbers_of("resolutions", given.resolutions or (), 1, may_lack=True)
        variants, first = variants_to_choose_from(
            given.models,
            judge.data_at,
            numbers_of("tokens", given.tokens, 0),
            pixels,
            given.subnets,
            given.seed,
            given.work,
        )
        log = DeploymentLog(given.work / "facts.jsonl", under(judge.judged(first)))
        files = DeploymentFiles(variants, judge.data_at, given.work / "files", workers)
        machine = DeploymentMachine(files, judge.judged, log, given.sessions)
        tables = table_ms_of(tables_of(given.table, AT), variants.values())
        asked = Asked(machine, every_deployment(variants, ways), machine.accuracies(1), tables)
        print(f"{len(asked.deployments)} deployments", flush=True)
        subset = subset_of(asked, given.subset, given.seed)
        kept = given.work / "limits.json"
        times = np.quantile([asked.figures(one).latency_ms for one in subset], [0.1, 0.8])
        drawn = np.random.default_rng([given.seed, 1]).uniform(*np.log(times), given.limits)
        answers = []
        if not kept.is_file():
            kept.write_text(json.dumps(sorted(np.exp(drawn).tolist())))
        for limit in json.loads(kept.read_text()):
            answers.append(ask(asked, limit, subset))
            print(answers[-1], flush=True)
    title = "The pick of a deployment space, beside measuring and beside MACs"
    publish(f"{heading(title)}\n{report_of(asked, len(subset), answers)}", given.out)


if __name__ == "__main__":
    main()
