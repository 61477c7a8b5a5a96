"""`vitprof pipeline`: train once, then everything that can be had of it, in one run."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from ...atomic_write import write_atomically
from ...errors import UserError
from ..output import json_option, note, print_json
from ..pipeline_config import Stage, read_config, stages_of

REPORT = "report.json"
# Exit code 1 of a stage: done, but something is wrong with a measurement. The run goes on.
DOUBTFUL = 1


@click.command(epilog="Example: vitprof pipeline --config once.toml --out once")
@click.option("--config", required=True, type=click.Path(path_type=Path),
              help="A .toml file; docs/once-trained.md shows one.")  # fmt: skip
@click.option("--out", required=True, type=click.Path(path_type=Path),
              help="Folder to write: a folder a stage, and report.md.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print the commands of the stages and end.")
@json_option
def pipeline(config: Path, out: Path, dry_run: bool, as_json: bool) -> int:
    """Run a once-trained model's stages: training, attention timing, heads, students, int8, choice.

    Every stage is a command of its own, printed before it runs. What is done is not done again:
    after an interruption the same command goes on with the stage that was running.
    """
    from ..reports.pipeline import write_report

    stages = stages_of(read_config(config), out)
    if dry_run:
        for stage in stages:
            click.echo(_in_words(stage, out))
        return 0
    _check_same(config, out)
    doubtful: list[str] = []
    records: list[dict[str, Any]] = []
    for number, stage in enumerate(stages, 1):
        folder = out / stage.name
        before = _done(folder)
        if before is not None:
            note(f"[{number}/{len(stages)}] {stage.name}: done already.")
        else:
            note(f"[{number}/{len(stages)}] {_in_words(stage, out)}")
            before = _run(stage, folder)
        records.append({"stage": stage.name, "command": _in_words(stage, out), **before})
        if before["exit"] == DOUBTFUL:
            doubtful.append(stage.name)
    page = write_report(out, records)
    report = {"stages": records, "doubtful": doubtful, "report": str(page), "out": str(out)}
    write_atomically(out / REPORT, json.dumps(report, indent=2) + "\n")
    if as_json:
        print_json(report)
    else:
        click.echo(page.read_text(encoding="utf-8"))
        note(f"written: {page}")
    for name in doubtful:
        note(f"doubtful: the stage {name} says that some of its measurements are unstable.")
    return int(bool(doubtful))


def _in_words(stage: Stage, out: Path) -> str:
    return shlex.join(["vitprof", stage.command, *stage.arguments, "--out", str(out / stage.name)])


def _check_same(config: Path, out: Path) -> None:
    """Keep the configuration beside the results; raises UserError for another one."""
    kept = out / "pipeline.toml"
    text = config.read_text(encoding="utf-8")
    if kept.is_file():
        if kept.read_text(encoding="utf-8") != text:
            raise UserError(
                f"{out} holds a run of another configuration ({kept}); give another --out, or that "
                "one again to go on."
            )
    elif out.is_dir() and any(out.iterdir()):
        raise UserError(f"{out} is not empty and holds no pipeline; give another --out.")
    else:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, text)


def _done(folder: Path) -> dict[str, Any] | None:
    """Return how a stage ended that is done, None for one that is not."""
    path = folder / "stage.json"
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {"exit": int(found["exit"]), "seconds": float(found["seconds"])}
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} is damaged; remove {folder} to run that stage again.") from None


def _run(stage: Stage, folder: Path) -> dict[str, Any]:
    """Run a stage in a process of its own; raises UserError where it fails."""
    if folder.is_dir() and not stage.resumes:
        shutil.rmtree(folder)  # what an interrupted stage left; it cannot go on from it
    finished = folder.is_dir() and (folder / REPORT).is_file()
    started = time.perf_counter()
    code = 0
    if not finished:  # a stage that was done when the run was killed is not begun again
        command = [sys.executable, "-m", "vitprof", stage.command, *stage.arguments, "--out",
                   str(folder)]  # fmt: skip
        code = subprocess.run(command, stdout=2, check=False).returncode  # noqa: S603
    if code == 130:
        raise KeyboardInterrupt
    if code not in (0, DOUBTFUL):
        raise UserError(
            f"the stage {stage.name} ended with {code}, as said above; correct the configuration, "
            "or run the same command again to go on."
        )
    record = {"exit": code, "seconds": time.perf_counter() - started}
    write_atomically(folder / "stage.json", json.dumps(record) + "\n")
    return record
