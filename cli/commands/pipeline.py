"""`vitprof pipeline`: train once, then everything that can be had of it, in one run."""

from __future__ import annotations

from pathlib import Path

import click

from ..options.waiting import wait_option
from ..output import json_option, note, print_json, say, say_lines


@click.command(epilog="Example: vitprof pipeline --config once.toml --out once")
@click.option(
    "--config",
    required=True,
    type=click.Path(path_type=Path),
    help="A .toml file; docs/once-trained.md shows one.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder to write, with a folder for each stage and report.md.",
)
@click.option("--dry-run", is_flag=True, help="Print the commands of the stages and stop.")
@wait_option
@json_option
def pipeline(config: Path, out: Path, dry_run: bool, as_json: bool) -> int:
    """Run a once-trained model's stages: training, attention timing, heads, students, int8, choice.

    Each stage runs the command that is printed before it. Finished stages are not repeated: after
    an interruption the same command continues with the stage that was running.
    """
    from ...verbs.pipeline import pipeline as verb

    run = verb(config, out=out, dry_run=dry_run, progress=not as_json)
    if run.page is None:
        for command in run.commands:
            say(command)
        return 0
    if as_json:
        print_json(run.report())
    else:
        say_lines(run.page.read_text(encoding="utf-8"))
        note(f"written: {run.page}")
    for name in run.doubtful:
        note(f"doubtful: the stage {name} says that some of its measurements are unstable.")
    return int(run.is_doubtful)
