"""`vitprof quantize`: a model in 8-bit integers, and whether that pays here."""

from __future__ import annotations

from pathlib import Path

import click

from ...errors import UserError
from ..deployed_models import (
    Deployment,
    calibration_inputs,
    check_new,
    deployed,
    deployment_options,
    measured_facts,
    model_and_data,
    write_facts,
)
from ..options.training import data_option, resolution_option, step_bar
from ..output import json_option, note, print_json
from ..reports.facts_table import print_facts

# Calibration images and the ranges learned of them: static alone.
DEFAULT_CALIBRATION = 256


@click.command(
    epilog="Example: vitprof quantize --model digits --data digits --to int8 --out int8  |  "
    "vitprof quantize --model my-vit --data photos.zip --to int8 --to int8-static --out int8"
)
@click.option("--model", required=True, type=click.Path(path_type=Path),
              help="The folder of a trained model.")  # fmt: skip
@data_option
@resolution_option
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--runtime", default="onnxruntime", show_default=True,
              help="What runs it: onnxruntime, or torch (by torchao).")  # fmt: skip
@click.option("--to", "precisions", multiple=True, default=("int8",), show_default=True,
              help="int8 quantizes what flows at every run; int8-static (onnxruntime) learns its "
              "ranges from images; may be repeated.")  # fmt: skip
@click.option("--calibration-images", default=DEFAULT_CALIBRATION, show_default=True,
              type=click.IntRange(1), help="Training images that int8-static learns from.",
              )  # fmt: skip
@click.option("--calibration", default="minmax", show_default=True,
              type=click.Choice(("minmax", "percentile", "entropy")),
              help="How int8-static chooses its ranges.")  # fmt: skip
@deployment_options()
@json_option
def quantize(
    model: Path, source: str, resolution: int | None, out: Path, runtime: str,
    precisions: tuple[str, ...], calibration_images: int, calibration: str,
    how: Deployment, as_json: bool,
) -> int:  # fmt: skip
    """Write a model in int8 beside fp32; measure size, accuracy, latency and memory of both.

    Latencies are measured side by side on this machine's CPU, accuracies with the very files, and
    memory in a process of its own. Nothing is trained.
    """
    from ...profiler.deployed.deployed import check_precision

    asked = list(dict.fromkeys(["fp32", *precisions]))
    for precision in asked:
        check_precision(runtime, precision)
    if asked == ["fp32"]:
        raise UserError("--to fp32 is what it is compared with; add --to int8.")
    weights, data, norm = model_and_data(model, source, resolution, as_json)
    check_new(out)
    static = "int8-static" in asked
    ranges = calibration_inputs(data, norm, calibration_images) if static else ()
    with step_bar(not as_json) as show:
        files = {}
        for done, precision in enumerate(asked):
            show("converting", done, len(asked), precision)
            files[precision] = deployed(weights, precision, out, how, runtime, ranges, calibration)
            show("converting", done + 1, len(asked), precision)
        facts = measured_facts(files, data, norm, how, show)
    report = write_facts(facts, out, {"model": str(model), "runtime": runtime}, how)
    if as_json:
        print_json(report)
    else:
        print_facts(facts, "precision")
        for remark in report["remarks"]:
            note(remark)
        note(f"written: {out}")
    return int(any(one.disturbed for one in facts))
