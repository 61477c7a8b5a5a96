from __future__ import annotations

import click
from click.testing import CliRunner
from vitprof.cli.options.renamed import RenamedOption, note_renamed
from vitprof.notes import LOGGER


@click.command()
@click.option("--family", cls=RenamedOption, old=["--space"], help="A family.")
def command(family: str | None) -> None:
    click.echo(family)


def test_both_spellings_are_taken() -> None:
    for spelling in ("--family", "--space"):
        assert CliRunner().invoke(command, [spelling, "vit"]).output == "vit\n"


def test_help_shows_the_new_one_alone() -> None:
    shown = CliRunner().invoke(command, ["--help"]).output
    assert "--family" in shown
    assert "--space" not in shown


def test_the_old_one_is_noted(caplog) -> None:
    LOGGER.propagate = True
    note_renamed(["--space=vit", "--space", "x"], command)
    assert [record.getMessage() for record in caplog.records] == [
        "warning: --space is now called --family; the old name still works."
    ]
    caplog.clear()
    note_renamed(["--family", "vit"], command)
    assert not caplog.records
