"""AutoViT's ablations of supernets: distillation (Table 7), one supernet or three (5.2).

    python benchmarks/autovit_ablations.py --quick --out out
    python benchmarks/autovit_ablations.py --space autovit-all --data photos --epochs 100 \
        --teacher effnet --teacher regnet --out out
    python benchmarks/autovit_ablations.py --space benchmarks/spaces/autovit-cifar.toml \
        --data cifar10 --teacher vit --teacher teacher/teacher.onnx --only table-7 --out out

Table 7 has four rows: no teacher, soft with either teacher, hard with the second one. `--row`
chooses some of them: several commands, each with a row, can share a machine and a folder, and the
same command with all of them then prints what is there. Section 5.2
compares one supernet of the space with one for each of its three parts: the same subnets of each
part are judged with weights of both. `--quick` is of digits, and trains its teachers.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import vitprof
from report import heading, publish, table
from vitprof.search.evaluators.subnet_evaluator import SubnetEvaluator
from vitprof.search.supernet.folder import read_supernet
from vitprof.search.supernet.recalibration import calibration_images
from vitprof.spaces.registry import find_search_space, search_space_from_dict
from vitprof.spaces.space import SearchSpace
from vitprof.training.data.datasets import load_dataset

PARTS = 3
# Of table 7: the teacher, counted from 0, and how the supernet learns from it.
ROWS: dict[str, tuple[int, str] | None] = {
    "without": None,
    "soft-1": (0, "soft"),
    "soft-2": (1, "soft"),
    "hard-2": (1, "hard"),
}
QUICK: dict[str, Any] = {
    "family": "vit",
    "name": "digits",
    "patch": 2,
    "resolution": 8,
    "embed": [16, 24, 32, 40],
    "depth": [2, 3],
    "heads": [2, 3, 4],
    "qk": 8,
    "mlp_ratio": [1, 2],
}
# Of the quick teachers: the second is trained for longer.
TEACHERS = ((48, 3), (64, 12))


def main() -> None:
    asked = _parsed()
    out = asked.out
    out.mkdir(parents=True, exist_ok=True)
    space = (
        search_space_from_dict(QUICK, "--quick") if asked.quick else find_search_space(asked.space)
    )
    plan: dict[str, Any] = {
        "epochs": asked.epochs,
        "batch": asked.batch,
        "augment": "none" if asked.quick else asked.augment,
        "learning_rate": 4e-3 if asked.quick else 1e-3,
        "sandwich": asked.sandwich,
        "seed": asked.seed,
        "progress": True,
    }
    teachers = asked.teacher or (_teachers(asked.data, out) if asked.quick else [])
    found: dict[str, Any] = {"space": space.name, "data": asked.data, "epochs": asked.epochs}
    if len(teachers) == 2 and asked.only != "section-5.2":
        found["table_7"] = _distillation(
            asked.row or list(ROWS), space, asked.data, out, plan, teachers, asked.subnets
        )
    if asked.only != "table-7":
        found["section_5_2"] = _one_or_three(space, asked.data, out, plan, asked.subnets)
    name = "-".join(["report", *(asked.row or [])])
    (out / f"{name}.json").write_text(json.dumps(found, indent=2) + "\n")
    publish(_page(found), asked.page)


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", default="autovit-all")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--teacher", action="append", type=Path, help="folder or .onnx; twice")
    parser.add_argument("--augment", default="light")
    parser.add_argument("--only", choices=["table-7", "section-5.2"])
    parser.add_argument("--row", choices=list(ROWS), action="append", help="of table 7")
    parser.add_argument("--sandwich", type=int, help="as of `vitprof supernet`; omitted: eq. 5")
    parser.add_argument("--epochs", type=float, default=100)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--subnets", type=int, default=30, help="judged of each row or part")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--page", help="Markdown file to write")
    parser.add_argument("--quick", action="store_true", help="digits, in minutes")
    asked = parser.parse_args()
    if asked.quick:
        asked.batch = 32
    if asked.teacher is not None and len(asked.teacher) != 2:
        parser.error("give --teacher twice, or not at all")
    if asked.row is not None and asked.teacher is None and not asked.quick:
        parser.error("--row needs --teacher, twice")
    return asked


def _teachers(data: str, out: Path) -> list[Path]:
    """Train two ViTs to learn from."""
    folders = []
    for number, (embed, epochs) in enumerate(TEACHERS, start=1):
        folder = out / f"teacher-{number}"
        spec = vitprof.ViTSpec.uniform(embed, 4, embed // 16, resolution=8, patch=2, classes=10)
        if not (folder / "model.safetensors").exists():
            vitprof.train(spec, data, out=folder, epochs=epochs, augment="none", progress=True)
        folders.append(folder)
    return folders


def _distillation(
    chosen: list[str],
    space: SearchSpace,
    data: str,
    out: Path,
    plan: dict[str, Any],
    teachers: list[Path],
    subnets: int,
) -> list[dict[str, Any]]:
    """Return rows of Table 7: accuracies of the largest, a middle and the smallest.

    And of the best and the mean of the same random subnets in each row.
    """
    lines = []
    for row in chosen:
        folder = out / f"distill-{row}"
        judged = _trained(row, folder, space, data, plan, teachers)
        within = read_supernet(folder).record.space
        drawn = within.sample(np.random.default_rng(plan["seed"]), subnets)
        random = _accuracies(folder, data, within, drawn)
        lines.append(
            {
                "row": _words(row, teachers),
                **judged,
                "best": max(float(random.max()), *judged.values()),
                "mean": float(random.mean()),
            }
        )
    return lines


def _trained(
    row: str,
    folder: Path,
    space: SearchSpace,
    data: str,
    plan: dict[str, Any],
    teachers: list[Path],
) -> dict[str, float]:
    """Train the supernet of a row, unless that is done; return the top-1 of its three subnets."""
    report, asked = folder / "report.json", folder.with_name(f"{folder.name}.json")
    taught = ROWS[row]
    chosen = {} if taught is None else {"teacher": str(teachers[taught[0]]), "distill": taught[1]}
    options = json.dumps({"space": space.to_dict(), "data": data, **plan, **chosen})
    if not report.exists():
        asked.write_text(options)
        vitprof.supernet(space, data, out=folder, **plan, **chosen)
    elif not asked.exists() or asked.read_text() != options:
        raise SystemExit(f"{folder} was trained with other options; give another --out.")
    found = json.loads(report.read_text())
    return {subnet["which"]: subnet["top1"] for subnet in found["subnets"]}


def _words(row: str, teachers: list[Path]) -> str:
    taught = ROWS[row]
    return row if taught is None else f"{taught[1]}, {teachers[taught[0]].stem}"


def _one_or_three(
    space: SearchSpace, data: str, out: Path, plan: dict[str, Any], subnets: int
) -> list[dict[str, Any]]:
    """Return a line a part: the same subnets, judged with weights of the one and of the part's."""
    vitprof.supernet(space, data, out=out / "one", **plan)
    lines = []
    for part in range(1, PARTS + 1):
        folder = out / f"part-{part}"
        vitprof.supernet(space, data, out=folder, part=f"{part}/{PARTS}", **plan)
        within = read_supernet(folder).record.space
        drawn = within.sample(np.random.default_rng(part), subnets)
        own, one = (_accuracies(net, data, within, drawn) for net in (folder, out / "one"))
        params = [within.spec(candidate).params for candidate in drawn]
        lines.append(
            {
                "part": part,
                "params": [min(params), max(params)],
                "one": {"mean": float(one.mean()), "best": float(one.max())},
                "three": {"mean": float(own.mean()), "best": float(own.max())},
                "three_ahead_by": float((own - one).mean()),
            }
        )
    return lines


def _accuracies(folder: Path, data: str, space: SearchSpace, candidates: np.ndarray) -> np.ndarray:
    """Return the top-1 of each candidate of `space` with a supernet's weights, held-out images."""
    found = read_supernet(folder)
    resolution: Any = found.supernet.spec
    train, held_out = found.record.parts(load_dataset(data, resolution.resolution).train)
    judge = SubnetEvaluator(
        space, found.supernet, held_out, found.norm, calibration_images(train, 512)
    )
    return np.array([judge.accuracy(candidate) for candidate in candidates])


def _page(found: dict[str, Any]) -> str:
    """Return what was found as Markdown."""
    text = heading("AutoViT's ablations of supernets")
    text += f"\n{found['space']}, {found['epochs']:g} epochs. Accuracies are top-1.\n"
    if "table_7" in found:
        names = ("largest", "median", "smallest", "best", "mean")
        rows = [
            [line["row"], *(f"{line[name]:.2%}" for name in names)] for line in found["table_7"]
        ]
        text += "\n## Distillation (table 7)\n\n"
        text += table(("distillation", "largest", "median", "smallest", "best", "mean"), rows)
    if "section_5_2" in found:
        rows = [
            [
                f"{line['part']} of {PARTS}",
                "{:,} to {:,}".format(*line["params"]),
                *(
                    f"{line[which]['mean']:.2%} / {line[which]['best']:.2%}"
                    for which in ("one", "three")
                ),
                f"{100 * line['three_ahead_by']:+.2f}",
            ]
            for line in found["section_5_2"]
        ]
        text += "\n## One supernet or three (section 5.2)\n\n"
        names = ("part", "parameters", "one: mean / best", "three: mean / best", "points")
        text += table(names, rows)
    return text


if __name__ == "__main__":
    main()
