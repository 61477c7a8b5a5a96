"""`vitprof.pipeline`: train once, then everything that can be had of it, in one run."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..atomic_write import holds_something, made_folder, write_atomically
from ..errors import DeviceBusyError, UserError
from ..notes import note
from ..progress import ProgressOption
from ..results import Result
from .pipeline_page import write_report
from .pipeline_stages import Stage, read_config, stages_of, verb_named

if TYPE_CHECKING:
    import pandas as pd

REPORT, STAGE, CONFIG = "report.json", "stage.json", "pipeline.toml"
# What a stage's record says: done, or done and something is wrong with a measurement.
FINE, DOUBTFUL = 0, 1


@dataclass(frozen=True, repr=False)
class PipelineResult(Result):
    """The stages of a run, their `commands`, and `page`, the report of them all.

    After a dry run there are commands alone.
    """

    out: Path
    commands: tuple[str, ...]
    records: tuple[dict[str, Any], ...]
    page: Path | None

    @property
    def title(self) -> str:
        return f"{len(self.records)} of {len(self.commands)} stages done in {self.out}"

    @property
    def doubtful(self) -> list[str]:
        """The stages that say that some of their measurements are unstable."""
        return [one["stage"] for one in self.records if one["exit"] == DOUBTFUL]

    @property
    def is_doubtful(self) -> bool:
        return bool(self.doubtful)

    def report(self) -> dict[str, Any]:
        return {
            "stages": list(self.records),
            "doubtful": self.doubtful,
            "report": str(self.page),
            "out": str(self.out),
        }

    def to_frame(self) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(list(self.records), columns=["stage", "command", "exit", "seconds"])


def pipeline(
    config: str | Path,
    *,
    out: str | Path,
    dry_run: bool = False,
    progress: ProgressOption = False,
) -> PipelineResult:
    """Run a once-trained model's stages: training, attention timing, heads, students, int8, choice.

    Every stage is a call of a verb into a folder of its own. What is done is not done again: after
    an interruption the same call goes on with the stage that was running.

        run = vitprof.pipeline("once.toml", out="once", progress=True)
        run.to_frame()[["stage", "seconds"]]
        run.doubtful
        print(run.page.read_text())

    Args:
        config: a .toml file; docs/once-trained.md shows one.
        out: folder to write: a folder a stage, and report.md.
        dry_run: only say what would be run (`commands`).
        progress: True for bars on stderr, or a function (see progress.OnProgress).

    Raises:
        UserError: the file is wrong, `out` holds something else, or a stage refuses its input.
    """
    path, folder = Path(config), Path(out)
    stages = stages_of(read_config(path), folder)
    commands = tuple(stage.command(folder) for stage in stages)
    if dry_run:
        return PipelineResult(folder, commands, (), None)
    from ..profiler.place.waiting import waiting, waiting_now
    from ..profiler.target import check_free
    from ..tables.setting import PartialSetting

    if any(stage.verb != "train" for stage in stages):
        check_free(PartialSetting(), "vitprof pipeline")
    _check_same(path, folder)
    # A later stage waits as long as it takes: what is done is not to be lost by a busy moment.
    with waiting(math.inf, shown=waiting_now().shown):
        records = _run_all(stages, commands, folder, progress)
    page = write_report(folder, records)
    result = PipelineResult(folder, commands, tuple(records), page)
    write_atomically(folder / REPORT, json.dumps(result.report(), indent=2) + "\n")
    return result


def _run_all(
    stages: Sequence[Stage], commands: Sequence[str], folder: Path, progress: ProgressOption
) -> list[dict[str, Any]]:
    """Run what is not done yet; return how each stage ended."""
    records = []
    for number, (stage, command) in enumerate(zip(stages, commands, strict=True), 1):
        place = folder / stage.name
        record = _done(place)
        if record is not None:
            note(f"[{number}/{len(stages)}] {stage.name}: done already.")
        else:
            note(f"[{number}/{len(stages)}] {command}")
            record = _run(stage, place, progress)
        records.append({"stage": stage.name, "command": command, **record})
    return records


def _check_same(config: Path, out: Path) -> None:
    """Keep the configuration beside the results; raises UserError for another one."""
    kept = out / CONFIG
    text = config.read_text(encoding="utf-8")
    if kept.is_file():
        if kept.read_text(encoding="utf-8") != text:
            raise UserError(
                f"{out} holds a run of another configuration ({kept}); give another `out`, or that "
                "one again to go on."
            )
    elif holds_something(out):
        raise UserError(f"{out} is not empty and holds no pipeline; give another `out`.")
    else:
        made_folder(out)
        write_atomically(kept, text)


def _done(folder: Path) -> dict[str, Any] | None:
    """Return how a stage ended that is done, None for one that is not."""
    path = folder / STAGE
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {"exit": int(found["exit"]), "seconds": float(found["seconds"])}
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} is damaged; remove {folder} to run that stage again.") from None


def _run(stage: Stage, folder: Path, progress: ProgressOption) -> dict[str, Any]:
    """Run a stage and keep how it ended; raises UserError where it refuses its input."""
    if folder.is_dir() and not stage.resumes:
        shutil.rmtree(folder)  # what an interrupted stage left; it cannot go on from it
    started = time.perf_counter()
    ended = FINE
    if (folder / REPORT).is_file():  # it was done when the run was killed: it is not begun again
        from ..training.saved_run import remove_leftovers

        remove_leftovers(folder)
    else:
        try:
            result = verb_named(stage.verb)(**stage.arguments, out=folder, progress=progress)
        except DeviceBusyError:
            raise
        except UserError as error:
            raise UserError(
                f"the stage {stage.name} failed: {str(error).rstrip('.')}; correct the "
                "configuration, or run the same again to go on."
            ) from None
        ended = DOUBTFUL if result.is_doubtful else FINE
    record = {"exit": ended, "seconds": time.perf_counter() - started}
    write_atomically(folder / STAGE, json.dumps(record) + "\n")
    return record
