from __future__ import annotations

import click
import pytest
from click.testing import CliRunner
from vitprof.cli.main import vitprof
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


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("bench-attention", "--dtypes", "--dtype"),
        ("compare", "--measure", "--verify"),
        ("variants", "--measure", "--verify"),
        ("choose", "--dtypes", "--dtype"),
    ],
)
def test_commands_take_the_old_spelling_and_show_the_new_one(name: str, old: str, new: str) -> None:
    context = click.Context(vitprof)
    found = vitprof.get_command(context, name)
    assert found is not None
    options = {spelling: option for option in found.params for spelling in option.opts}
    assert options[old] is options[new]
    shown = options[new].get_help_record(context)
    assert shown is not None
    assert shown[0].split()[0] == new
