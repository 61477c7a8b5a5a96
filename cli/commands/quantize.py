"""`vitprof quantize`: a model in 8-bit integers, and whether that pays here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..options.checkpoint import checkpoint_option
from ..options.completed import complete_model
from ..options.data import resolution_option
from ..options.download import download_option
from ..options.renamed import RenamedOption
from ..options.shapes import shape_option
from ..options.side_by_side import side_by_side_options
from ..options.waiting import wait_option
from ..output import json_option
from ..reports.facts_table import print_deployed


@click.command(
    epilog="Example: vitprof quantize --model digits --data digits --dtype int8 --out int8  |  "
    "vitprof quantize --model net.onnx --dtype int8 --dtype int8-static --out int8"
)
@click.option(
    "--model",
    required=True,
    shell_complete=complete_model,
    help="The folder of a trained model, or a foreign model: an ONNX file, timm:NAME and others.",
)
@checkpoint_option
@shape_option
@click.option(
    "--data",
    help="Images, as for vitprof train. A foreign model needs none: without them ranges are "
    "learned, and outputs compared, on seeded random inputs.",
)
@resolution_option
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option(
    "--runtime",
    default="onnxruntime",
    show_default=True,
    help="The runtime: onnxruntime, openvino, torch (by torchao), litert or executorch.",
)
@click.option(
    "--dtype",
    cls=RenamedOption,
    old=["--to"],
    multiple=True,
    default=("int8",),
    show_default=True,
    help="int8 quantizes activations at every run; int8-static (all but torch) learns their "
    "ranges from images; may be repeated.",
)
@click.option(
    "--calibration-images",
    default=256,
    show_default=True,
    type=click.IntRange(1),
    help="Training images that int8-static learns from.",
)
@click.option(
    "--calibration",
    default="minmax",
    show_default=True,
    type=click.Choice(("minmax", "percentile", "entropy")),
    help="How int8-static chooses its ranges; by onnxruntime only.",
)
@side_by_side_options()
@download_option
@wait_option
@json_option
def quantize(as_json: bool, **given: Any) -> int:
    """Quantize a model to int8; measure size, accuracy, latency and memory beside fp32.

    Latencies are measured side by side on this machine's CPU, accuracies with the written files,
    and memory in a separate process. Nothing is trained. For a foreign model the error of the
    outputs against fp32 is measured instead of accuracy.
    """
    from ...verbs.quantize import quantize as verb

    found = verb(**given, progress=not as_json)
    return print_deployed(found, as_json, "precision")
