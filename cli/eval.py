"""`vitprof eval`: how often a model is right."""

from __future__ import annotations

from pathlib import Path

import click

from .output import json_option, note, print_json
from .training_options import (
    data_option,
    find_torch_device,
    load_data,
    normalisation_for,
    resolution_option,
    step_bar,
    train_device_option,
    weights_beside,
)


@click.command(
    "eval",
    epilog="Example: vitprof eval --model digits --data digits  |  "
    "vitprof eval --model deit-tiny --checkpoint deit_tiny.pth --data photos",
)
@click.option("--model", required=True,
              help="A folder with a model, a name, or a spec's JSON file.")  # fmt: skip
@click.option("--checkpoint", type=click.Path(path_type=Path), help="The model's weights.")
@data_option
@resolution_option
@click.option("--batch", default=256, show_default=True, type=click.IntRange(1, 65536),
              help="Images at a time.")  # fmt: skip
@train_device_option
@json_option
def eval_(
    model: str, checkpoint: Path | None, source: str, resolution: int | None, batch: int,
    train_device: str, as_json: bool,
) -> int:  # fmt: skip
    """Say top-1, top-3 and top-5 accuracy on the test part of a dataset, in fp32."""
    from ..errors import UserError
    from ..models import create_model, create_spec
    from ..training.evaluate import evaluate
    from ..training.fit import check_fits

    device = find_torch_device(train_device)
    spec = create_spec(model)
    weights = weights_beside(model, checkpoint)
    if weights is None:
        raise UserError(
            f"{spec.name} has no weights; give --checkpoint, or the folder of a model as --model."
        )
    data = load_data(source, resolution or getattr(spec, "resolution", None), as_json)
    made = create_model(model, checkpoint=weights).to(device)
    norm = normalisation_for(weights, data)
    check_fits(made.spec, data.test, norm)
    with step_bar(not as_json) as show:
        found = evaluate(
            made, data.test, norm, batch, lambda done, total: show("testing", done, total, "images")
        )
    if as_json:
        print_json({"model": spec.name, "images": found.images, **found.as_dict()})
    else:
        click.echo(f"{spec.name}: {found.in_words()} of {found.images} test images")
        note(f"normalised by mean {norm.mean}, std {norm.std}.")
    return 0
