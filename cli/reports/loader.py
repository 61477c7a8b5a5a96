"""What a model's owner needs to load it without vitprof, printed as it was written."""

from __future__ import annotations

from pathlib import Path

import click

from ..output import say, say_lines


def print_loader(loader: str | None, folder: str | Path) -> None:
    """Print the lines of load.py and where it is; nothing for a model that has none."""
    if loader is None:
        return
    click.echo()
    say(f"{Path(folder) / 'load.py'} needs torch alone:")
    say_lines("\n".join(f"    {line}".rstrip() for line in loader.splitlines()))
