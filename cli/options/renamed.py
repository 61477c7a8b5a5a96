"""Options that had another name: the old one is still taken, with a note."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

from ...notes import warn


class RenamedOption(click.Option):
    """An option with `old` spellings, which help does not show:

    @click.option("--family", cls=RenamedOption, old=["--space"])
    """

    def __init__(
        self, declarations: Sequence[str] | None = None, *, old: Sequence[str] = (), **others: Any
    ) -> None:
        super().__init__([*(declarations or ()), *old], **others)
        self.old = tuple(old)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        every = self.opts
        self.opts = [name for name in every if name not in self.old]
        try:
            return super().get_help_record(ctx)
        finally:
            self.opts = every


def note_renamed(arguments: Iterable[str], command: click.Command) -> None:
    """Say of each old spelling among the arguments what the option is called now."""
    renamed = {
        old: parameter.opts[0]
        for parameter in command.params
        if isinstance(parameter, RenamedOption)
        for old in parameter.old
    }
    for name in dict.fromkeys(argument.partition("=")[0] for argument in arguments):
        if name in renamed:
            warn(f"warning: {name} is now called {renamed[name]}; the old name still works.")


class RenamingGroup(click.Group):
    """A group that tells of old spellings among its commands' arguments, and cuts no summary."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            note_renamed(rest, command)
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with whole summaries; click's own list cuts them."""
        listed = [
            (name, " ".join((command.help or "").split("\n\n")[0].split()))
            for name, command in sorted(self.commands.items())
        ]
        with formatter.section("Commands"):
            formatter.write_dl(listed)
