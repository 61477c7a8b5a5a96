"""`vitprof eval`: how often a model is right."""

from __future__ import annotations

from pathlib import Path

import click

from ..options.text import load_data_of, of_length, sequence_length_option, takes_texts
from ..options.training import (
    data_option,
    find_torch_device,
    resolution_option,
    step_bar,
    train_device_option,
    weights_beside,
)
from ..output import json_option, note, print_json


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
@sequence_length_option
@click.option("--batch", default=256, show_default=True, type=click.IntRange(1, 65536),
              help="Images or texts at a time.")  # fmt: skip
@train_device_option
@json_option
def eval_(
    model: str, checkpoint: Path | None, source: str, resolution: int | None,
    sequence_length: int | None, batch: int, train_device: str, as_json: bool,
) -> int:  # fmt: skip
    """Say top-1, top-3 and top-5 accuracy on the test part of a dataset, in fp32.

    A BERT is tested on all of a file of texts, or on the dev file of a folder; of two classes F1 is
    said too.
    """
    from ...errors import UserError
    from ...models import create_model, create_spec
    from ...training.evaluate import evaluate
    from ...training.fit import check_fits

    device = find_torch_device(train_device)
    spec = of_length(create_spec(model), sequence_length, resolution)
    weights = weights_beside(model, checkpoint)
    if weights is None:
        raise UserError(
            f"{spec.name} has no weights; give --checkpoint, or the folder of a model as --model."
        )
    of_texts = takes_texts(spec)
    what = "texts" if of_texts else "images"
    data, norm = load_data_of(spec, source, weights, resolution, as_json, whole=True)
    made = create_model(spec if of_texts else model, checkpoint=weights).to(device)
    check_fits(made.spec, data.test, norm)
    with step_bar(not as_json) as show:
        found = evaluate(made, data.test, norm, batch, show)
    if as_json:
        print_json({"model": spec.name, what: found.images, **found.as_dict()})
    else:
        click.echo(f"{spec.name}: {found.in_words()} of {found.images} test {what}")
    if norm is not None and not as_json:
        note(f"normalised by mean {norm.mean}, std {norm.std}.")
    return 0
