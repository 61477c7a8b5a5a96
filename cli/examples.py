"""Examples at the end of a command's help: each in a line of its own, to be copied."""

from __future__ import annotations

import re

import click


def with_example_lines(command: click.Command) -> click.Command:
    """Write the epilog "Example: A  |  B" as a line an example, for subcommands too."""
    if command.epilog and command.epilog.startswith("Example: "):
        examples = re.split(r" {2,}\| {2,}", command.epilog.removeprefix("Example: "))
        heading = "Example:" if len(examples) == 1 else "Examples:"
        # Click wraps no paragraph that begins with \b.
        command.epilog = "\n".join(["\b", heading, *(f"  {example}" for example in examples)])
    if isinstance(command, click.Group):
        for each in command.commands.values():
            with_example_lines(each)
    return command
