"""What a model's owner needs to load it without vitprof, printed as it was written."""

from __future__ import annotations

from pathlib import Path

import click


def print_loader(loader: str | None, folder: str | Path) -> None:
    """Print the lines of load.py and where it is; nothing for a model that has none."""
    if loader is None:
        return
    click.echo(f"\n{Path(folder) / 'load.py'} needs torch alone:")
    click.echo("".join(f"    {line}".rstrip() + "\n" for line in loader.splitlines()), nl=False)
