"""What train, prune, search and choose made, as the page shows it: models, fronts, histories."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...models import Spec
from ...models.checks import shown
from ...models.json_object import LARGEST_FILE_BYTES, read_json_object
from ...tables import LatencyTable
from ...untrusted.files import read_text
from .from_json import number_in, objects_in, text_in
from .histories import stages_of
from .table_record import FAMILIES

REPORT, SPEC, REDISTRIBUTION = "report.json", "spec.json", "redistribution.csv"
# What models of a run are judged by: the first that is known of one.
JUDGED = ("top1", "miou", "agreement_miou", "figure", "score")
MOST_POINTS, MOST_STRUCTURES, MOST_FOLDERS = 5_000, 2_000, 64


def run_record(folder: Path, tables: Sequence[LatencyTable]) -> dict[str, Any]:
    """Return a run's folder as JSON values.

    Raises UserError for a folder that none of these commands wrote, and for one whose setting is
    that of no table.
    """
    if not (folder / REPORT).is_file():
        raise UserError(
            f"{shown(str(folder))} has no {REPORT}; `runs` are folders that vitprof train, "
            "prune, search and choose wrote, and a run that is not done has none yet."
        )
    report, source = read_json_object(folder / REPORT)
    _check_setting(report, source, tables)
    kind, points = _points(report)
    if not kind:
        raise UserError(
            f"{source} is of another command; `runs` are folders that vitprof train, prune, "
            "search and choose wrote."
        )
    if kind == "train":
        points = [{**_size(folder), **point} for point in points]
    judged = next((by for by in JUDGED if any(by in point for point in points)), None)
    return {
        "name": folder.name or str(folder),
        "kind": kind,
        "judged_by": judged,
        "points": [_point(point, judged) for point in points],
        "redistribution": _redistributions(folder),
        "history": stages_of(folder),
        "models": _specs(folder),
    }


def _check_setting(report: dict[str, Any], source: str, tables: Sequence[LatencyTable]) -> None:
    setting = report.get("setting")
    if not isinstance(setting, dict):
        return
    names = ("device", "backend", "batch", "dtype", "threads")
    own = [str(setting.get(name)) for name in names]
    for table in tables:
        if own == [str(table.setting.as_dict()[name]) for name in names]:
            return
    where = ", ".join(f"{name} {value[:40]}" for name, value in zip(names, own, strict=True))
    raise UserError(
        f"{source} is of another setting ({where}) than every one of the `tables`; give the table "
        "that the run was made by."
    )


def _points(report: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """Return which command wrote a report, and its models."""
    if "base" in report and ("models" in report or "predicted_ms" in report):
        models = objects_in(report, "models", MOST_POINTS) or [report]
        base = dict(report["base"]) if isinstance(report["base"], dict) else {}
        base["predicted_ms"] = base.pop("latency_ms", None)
        return "prune", [{**base, "target": "unpruned"}, *models]
    if isinstance(report.get("front"), list):
        best = report["best"] if isinstance(report.get("best"), dict) else {}
        front = objects_in(report, "front", MOST_POINTS)
        return "search", [{**best, "name": "best"}, *front]
    if isinstance(report.get("measured"), list):
        return "choose", objects_in(report, "measured", MOST_POINTS)
    if "epochs" in report and "test_images" in report:
        return "train", [report]
    return "", []


def _point(values: dict[str, Any], judged: str | None) -> dict[str, Any]:
    return {
        "name": text_in(values, "target", "name", "model"),
        "predicted": number_in(values, "predicted_ms"),
        "measured": number_in(values, "measured_ms") or number_in(values, "latency_ms"),
        "macs": number_in(values, "macs"),
        "params": number_in(values, "params"),
        "judged": number_in(values, judged) if judged else None,
    }


def _size(folder: Path) -> dict[str, Any]:
    """Return the size of the model that a training wrote: its report is of the training alone."""
    if not (folder / SPEC).is_file():
        return {}
    spec = Spec.from_json(folder / SPEC)
    return {"macs": spec.macs, "params": spec.params}


def _folders(folder: Path) -> list[Path]:
    """Return the folder and those right in it, in the order of their names."""
    inner = sorted(one for one in folder.iterdir() if one.is_dir() and not one.is_symlink())
    return [folder, *inner[:MOST_FOLDERS]]


def _redistributions(folder: Path) -> list[dict[str, Any]]:
    """Return each model's widths before and after, by structure."""
    found = []
    for place in _folders(folder):
        path = place / REDISTRIBUTION
        if path.is_file():
            name = "" if place == folder else place.name
            found.append({"name": name, "structures": _structures(path)})
    return found


def _structures(path: Path) -> list[dict[str, Any]]:
    try:
        text = read_text(path, "a table of widths", LARGEST_FILE_BYTES)
        lines = csv.DictReader(io.StringIO(text))
        return [
            {
                "structure": text_in(dict(line), "structure"),
                "kind": text_in(dict(line), "kind"),
                "before": int(line["before"]),
                "after": int(line["after"]),
            }
            for line, _ in zip(lines, range(MOST_STRUCTURES), strict=False)
        ]
    except (csv.Error, KeyError, TypeError, ValueError):
        raise UserError(
            f"'{path}' is damaged: it is not structure, kind, before, after, as vitprof "
            "prune writes it; remove the file, or prune again."
        ) from None


def _specs(folder: Path) -> list[dict[str, Any]]:
    """Return the models that the run wrote, of families that the page knows."""
    found = []
    for place in _folders(folder):
        if (place / SPEC).is_file():
            spec = Spec.from_json(place / SPEC)
            if spec.family in FAMILIES:
                found.append({"name": f"{folder.name}: {spec.name}", "spec": spec.to_dict()})
    return found
