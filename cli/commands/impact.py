"""`vitprof impact`: how much accuracy each module of a model is worth, for the time it takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..options.common import check_picture, check_writable, table_option
from ..options.text import refuse_texts
from ..options.training import (
    data_option,
    find_torch_device,
    load_data,
    normalisation_for,
    resolution_option,
    step_bar,
    train_device_option,
    weights_beside,
)
from ..output import json_option, milliseconds, note, print_json, print_table

if TYPE_CHECKING:
    from ...models import Spec
    from ...search.impact.impact import Impact
    from ...training.data.images import Images

_COLUMNS = (
    "module", "kind", "points_lost", "ms_saved", "points_per_ms", "top1", "top1_without",
    "latency_ms", "latency_ms_without",
)  # fmt: skip


@click.command(
    epilog="Example: vitprof impact --model digits --table lut.csv --data digits --plot impact.png"
)
@click.option("--model", required=True,
              help="A folder with a model, a name, or a spec's JSON file.")  # fmt: skip
@click.option("--checkpoint", type=click.Path(path_type=Path), help="The model's weights.")
@table_option
@data_option
@click.option(
    "--images", "count", type=click.IntRange(1),
    help="Test on so many images of the test part, drawn at random (default: all).",
)  # fmt: skip
@click.option("--calibration-images", default=512, show_default=True, type=click.IntRange(0),
              help="Of a model with batch norms: images of the training part that give them their "
              "statistics anew once a module is gone; 0 leaves them.")  # fmt: skip
@resolution_option
@click.option("--batch", default=256, show_default=True, type=click.IntRange(2, 65536),
              help="Images at a time.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="Write all modules as CSV.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw them.")
@train_device_option
@json_option
def impact(
    model: str, checkpoint: Path | None, table_path: Path, source: str, count: int | None,
    calibration_images: int, resolution: int | None, batch: int, out: Path | None,
    plot: Path | None, train_device: str, as_json: bool,
) -> int:  # fmt: skip
    """Remove each module of a trained model in turn: points of accuracy lost per millisecond saved.

    Accuracy is top-1 on the test part of a dataset, in fp32; latency is the table's answer for the
    whole model. The most worthwhile to remove comes first.
    """
    from ...errors import UserError
    from ...models import create_model, create_spec
    from ...models.removal import removable
    from ...search.impact.impact import has_batch_norms, module_impacts
    from ...tables import LatencyTable
    from ...training.data.held_out import some_of
    from ...training.fit import check_fits

    for path in filter(None, (out, plot)):
        check_writable(path)
    if plot:
        check_picture(plot)
    if calibration_images == 1:
        raise UserError(
            "--calibration-images 1: one image has no variance; give at least 2, or 0 for none."
        )
    device = find_torch_device(train_device)
    spec = create_spec(model)
    refuse_texts(spec, "vitprof impact")
    removable(spec)
    weights = weights_beside(model, checkpoint)
    if weights is None:
        raise UserError(
            f"{spec.name} has no weights; give --checkpoint, or the folder of a model as --model."
        )
    table = LatencyTable.read_csv(table_path)
    data = load_data(source, resolution or getattr(spec, "resolution", None), as_json)
    norm = normalisation_for(weights, data)
    made = create_model(model, checkpoint=weights).to(device)
    check_fits(made.spec, data.test, norm)
    images = data.test if count is None else some_of(data.test, count)
    calibrates = bool(calibration_images) and has_batch_norms(made)
    calibration = some_of(data.train, calibration_images) if calibrates else None
    with step_bar(not as_json) as show:
        impacts = module_impacts(
            made, table, images, norm, calibration,
            lambda done, total: show("testing", done, total, "models"), batch,
        )  # fmt: skip
    if out:
        _write_csv(impacts, out)
    if plot:
        _plot(impacts, made, len(images), table, plot)
    if as_json:
        print_json(_as_json(spec, len(images), impacts))
        return 0
    _print(spec, images, impacts)
    if calibration is not None:
        note(
            f"without a module batch norms have the statistics of {len(calibration)} images of "
            f"{calibration.name}."
        )
    for path in filter(None, (out, plot)):
        note(f"written: {path}")
    return 0


def _plot(impacts: Sequence[Impact], model: Any, images: int, table: Any, path: Path) -> None:
    from ...models.removal import removable
    from ...search.impact.plot import plot_impacts

    places = {module.name: place for place, module in enumerate(removable(model.spec))}
    in_order = sorted(impacts, key=lambda each: places[each.name])
    plot_impacts(in_order, model.spec.name, images, table.setting, path)


def _fields(each: Impact) -> dict[str, Any]:
    values = (
        each.name, each.module.kind, each.points_lost, each.ms_saved, each.points_per_ms,
        each.accuracy, each.accuracy_without, each.ms, each.ms_without,
    )  # fmt: skip
    return dict(zip(_COLUMNS, values, strict=True))


def _as_json(spec: Spec, images: int, impacts: Sequence[Impact]) -> dict[str, Any]:
    whole = ("top1", "latency_ms")
    return {
        "model": spec.name,
        "images": images,
        "top1": impacts[0].accuracy,
        "latency_ms": impacts[0].ms,
        "modules": [
            {key: value for key, value in _fields(each).items() if key not in whole}
            for each in impacts
        ],
    }


def _print(spec: Spec, images: Images, impacts: Sequence[Impact]) -> None:
    whole = impacts[0]
    click.echo(
        f"{spec.name}: {milliseconds(whole.ms)} ms, top-1 {100 * whole.accuracy:.2f} % of "
        f"{len(images)} images of {images.name}. Without one module, most worthwhile first:"
    )
    print_table(
        ("without", "ms", "ms saved", "top-1", "points lost", "points per ms"),
        [
            (
                each.name,
                milliseconds(each.ms_without),
                f"{each.ms_saved:.3g}",
                f"{100 * each.accuracy_without:.2f} %",
                f"{each.points_lost:.2f}",
                each.ratio_in_words,
            )
            for each in impacts
        ],
    )
    note(f"one image is {100 / len(images):.2g} points.")


def _write_csv(impacts: Sequence[Impact], path: Path) -> None:
    import csv

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        for each in impacts:
            writer.writerow(
                {k: f"{v:.7g}" if isinstance(v, float) else v for k, v in _fields(each).items()}
            )
