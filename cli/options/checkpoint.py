"""--checkpoint: the weights of a model that is given by name."""

from __future__ import annotations

from pathlib import Path

import click

checkpoint_option = click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="The model's weights, where --model is a name or a spec: .safetensors, .pth, .pt or .bin.",
)
