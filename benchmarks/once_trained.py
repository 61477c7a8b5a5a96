"""All that can be had of a model that was trained once: docs/results/once_trained.md.

    python benchmarks/once_trained.py [--folder once-run] [--out once_trained.md]

Run it beside a folder `vit_cifar10` (a trained ViT in Hugging Face's format) and `cifar10_jpeg`
(its images). The folder keeps what is done; the same call continues from there. Most of the time is
the student's training: about an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
from itertools import pairwise
from pathlib import Path

from choice_questions import ask
from fidelity import vitprof
from report import heading, publish, table

EVERYTHING, TEACHER = ("heads", "student-small"), ("heads",)
# Under which limits, and of which models, the searches are compared. Of the teacher's levels alone
# too: where a student is better in every way, finding it proves little.
QUESTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "no limit": (EVERYTHING, ()),
    "latency ≤ 1 ms": (EVERYTHING, ("--max-latency", "1ms")),
    "memory ≤ 80 MiB": (EVERYTHING, ("--max-memory", "80MiB")),
    "accuracy counts alone": (EVERYTHING, ("--latency-weight", "0", "--memory-weight", "0")),
    "teacher: no limit": (TEACHER, ()),
    "teacher: latency ≤ 2 ms, one core": (
        TEACHER,
        ("--max-latency", "2ms", "--max-cpu", "110%"),
    ),
    "teacher: memory ≤ 80 MiB": (TEACHER, ("--max-memory", "80MiB")),
    "teacher: parameters ≤ 2.3 M": (TEACHER, ("--max-params", "2.3M")),
}
ALGORITHMS = ("exhaustive", "guided", "random")
MEBI = 2**20


def report_of(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text())


def choices(folder: Path) -> list[dict[str, dict]]:
    """Return the report of each algorithm on each question; what is measured serves them all."""
    answers = []
    for number, (variants, options) in enumerate(QUESTIONS.values(), 1):
        found = {}
        for algorithm in ALGORITHMS:
            out = folder / "choices" / f"{number}-{algorithm}"
            if not (out / "report.json").exists():
                of = [part for one in variants for part in ("--models", str(folder / one))]
                vitprof(
                    "choose",
                    *of,
                    "--data",
                    "cifar10_jpeg",
                    "--threads",
                    "1,2",
                    "--facts",
                    str(folder / "facts.jsonl"),
                    "--algorithm",
                    algorithm,
                    *options,
                    "--out",
                    str(out),
                )
            found[algorithm] = report_of(out)
        answers.append(found)
    return answers


def as_exhaustive(answers: list[dict], way: str) -> int:
    """Return in how many of the answers a way of searching is as good as trying everything."""
    return sum(as_good(one[way], one["exhaustive"]) for one in answers)


def as_good(one: dict, best: dict) -> bool:
    """Whether it picked what is best, or what scores the same (threads do not change answers)."""
    return one["model"] == best["model"] or one["score"] >= best["score"]


def choices_table(answers: list[dict[str, dict]]) -> str:
    def words(one: dict, best: dict) -> str:
        picked = "the same" if one["model"] == best["model"] else one["model"]
        return f"{picked} ({one['score'] - best['score']:+.2f} points, {one['evaluated']} measured)"

    rows = []
    for name, found in zip(QUESTIONS, answers, strict=True):
        best = found["exhaustive"]
        facts = best["best"]
        rows.append(
            [
                name,
                str(best["variants"]),
                best["model"],
                f"{best['score']:.2f}",
                f"{100 * facts['top3']:.2f}",
                f"{facts['latency_ms']:.3f}",
                f"{facts['peak_bytes'] / MEBI:.0f}",
                f"{facts['params'] / 1e6:.2f}",
                *(words(found[one], best) for one in ("guided", "random")),
            ]
        )
    columns = [
        "limit",
        "variants",
        "exhaustive picks",
        "score",
        "top-3",
        "ms",
        "MiB process",
        "M params",
        "guided",
        "random",
    ]
    return table(columns, rows)


def facts_table(models: list[dict], heads: list[dict] | None = None) -> str:
    first = models[0]
    rows = [
        [
            one["name"],
            *([str(level["heads_in_all"])] if level else []),
            f"{one['params'] / 1e6:.2f}",
            f"{one['file_bytes'] / MEBI:.2f} ({one['file_bytes'] / first['file_bytes']:.3f})",
            f"{one['latency_ms']:.3f} ({one['low_ms']:.3f} to {one['high_ms']:.3f})",
            f"{one['latency_ms'] / first['latency_ms']:.2f}",
            f"{one['peak_bytes'] / MEBI:.0f}",
            f"{one['model_bytes'] / MEBI:.0f}",
            f"{100 * one['top1']:.2f}",
            f"{100 * one['top3']:.2f}",
            f"{one['test_s']:.1f}",
        ]
        for one, level in zip(models, heads or [None] * len(models), strict=True)
    ]
    columns = [
        "model",
        *(["heads"] if heads else []),
        "M params",
        "MiB file (x)",
        "ms",
        "x",
        "MiB process",
        "MiB model",
        "top-1",
        "top-3",
        "test, s",
    ]
    return table(columns, rows)


def figures(parts: dict) -> list[list[str]]:
    levels, student, int8 = (parts[name]["models"] for name in ("heads", "student", "int8"))
    steps = [b["latency_ms"] / a["latency_ms"] for a, b in pairwise(levels)]
    apart = all(b["high_ms"] < a["low_ms"] for a, b in pairwise(levels))
    teacher, pupil = student
    whole, dynamic = int8[:2]
    answers, replayed = parts["choices"], parts["replayed"]
    guided = [one["guided"] for one in answers]
    attention = [
        c for c in parts["attention"]["cases"] if c["mode"] == "training" and not c["error"]
    ]
    ratios = [c["speedup"] for c in attention if c["what"] == "model"]
    return [
        [
            "each level: latency over the level before",
            "< 1",
            f"{', '.join(f'{step:.3f}' for step in steps)}"
            f"{'; intervals apart' if apart else '; some intervals overlap'}",
        ],
        ["student: times fewer parameters", "15", f"{teacher['params'] / pupil['params']:.1f}"],
        [
            "student minus teacher, top-3, points",
            "≥ -0.2",
            f"{100 * (pupil['top3'] - teacher['top3']):+.2f} (top-1 "
            f"{100 * (pupil['top1'] - teacher['top1']):+.2f})",
        ],
        [
            "student's latency over its teacher's",
            "≤ 0.37",
            f"{pupil['latency_ms'] / teacher['latency_ms']:.2f}",
        ],
        ["int8 file over fp32", "≤ 0.27", f"{dynamic['file_bytes'] / whole['file_bytes']:.3f}"],
        ["int8: top-3 lost, points", "≤ 1.2", f"{100 * (whole['top3'] - dynamic['top3']):.2f}"],
        [
            "guided search picks what exhaustive does",
            f"{len(answers)} of {len(answers)}",
            f"{as_exhaustive(answers, 'guided')} of {len(answers)} "
            f"(random: {as_exhaustive(answers, 'random')})",
        ],
        [
            "its share of all evaluations",
            "≤ 30 %",
            f"{100 * max(one['evaluated'] / one['variants'] for one in guided):.0f} % at most",
        ],
        [
            f"the same of {replayed.questions} random questions, from the same figures",
            "all",
            f"{replayed.best}, from {100 * replayed.share:.0f} % at most; {len(replayed.lost)} "
            f"lose {max(replayed.lost, default=0):.2f} points at most, {replayed.none} find "
            "nothing that keeps the limits",
        ],
        [
            "fused over plain attention, training step, this CPU",
            "1.07 to 1.26 on GPUs",
            f"{min(ratios):.2f} to {max(ratios):.2f}",
        ],
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="once.toml")
    parser.add_argument("--folder", default="once-run")
    parser.add_argument("--out")
    arguments = parser.parse_args()
    folder = Path(arguments.folder)
    if not (folder / "report.md").exists():
        vitprof("pipeline", "--config", arguments.config, "--out", str(folder))
    parts: dict = {
        "attention": report_of(folder / "attention"),
        "heads": report_of(folder / "heads"),
        "student": report_of(folder / "student-small"),
        "int8": report_of(folder / "int8-teacher"),
        "int8 student": report_of(folder / "int8-small"),
        "choices": choices(folder),
        "replayed": ask(folder, [EVERYTHING, TEACHER], 60),
    }
    text = (
        heading("Trained once")
        + "\n"
        + table(("what", "target", "measured"), figures(parts))
        + "\nLatencies are of one image and one thread, ONNX Runtime, each table side by side.\n"
        "\n## Levels of heads\n\n"
        + facts_table(parts["heads"]["models"], parts["heads"]["levels"])
        + "\n## The student\n\n"
        + facts_table(parts["student"]["models"])
        + "\n## int8: the teacher\n\n"
        + facts_table(parts["int8"]["models"])
        + "".join(f"\n- {remark}" for remark in parts["int8"]["remarks"])
        + "\n\n## int8: the student\n\n"
        + facts_table(parts["int8 student"]["models"])
        + "".join(f"\n- {remark}" for remark in parts["int8 student"]["remarks"])
        + "\n\n## What is picked under a limit\n\n"
        + choices_table(parts["choices"])
        + "\n## Fused attention\n\n"
        + (folder / "attention" / "attention.md").read_text()
        + "".join(f"\n- {line}" for line in parts["attention"]["where_it_pays"])
        + "\n"
    )
    publish(text, arguments.out)


if __name__ == "__main__":
    main()
