"""--download: fetch a Hugging Face id that is not in the local cache."""

from __future__ import annotations

import click

download_option = click.option(
    "--download",
    is_flag=True,
    help="Download a Hugging Face id (google/vit-base-patch16-224) that is not in the local cache.",
)
