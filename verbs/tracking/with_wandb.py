"""Runs in Weights & Biases: a project "vitprof", a run a result; offline unless asked otherwise."""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import UserError
from ...shown import shown
from .record import Record

PROJECT = "vitprof"


class WandbTracker:
    """Keeps runs in a folder, to be sent with `wandb sync`; with WANDB_MODE=online sends them too.

    Raises UserError where the folder cannot be written, or where nobody is logged in.
    """

    def __init__(self, folder: str) -> None:
        import wandb

        self._folder = Path(folder)
        self._mode = os.environ.get("WANDB_MODE", "offline")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            usable = os.access(self._folder, os.W_OK)
        except OSError:
            usable = False
        if not usable:
            raise UserError(
                f"the folder {shown(folder)} of Weights & Biases cannot be written; give another "
                "`log`."
            )
        if self._mode in ("online", "shared"):
            try:
                known = wandb.login(timeout=10, verify=True)
            except Exception as error:  # its own, requests' and usage errors
                raise UserError(
                    f"Weights & Biases cannot be reached ({type(error).__name__}); log in with "
                    "`wandb login`, or set WANDB_MODE=offline."
                ) from error
            if not known:
                raise UserError("there is no login for Weights & Biases; run `wandb login`.")

    def log(self, record: Record) -> str:
        """Keep a run: parameters as its config, metrics as its summary, and the files."""
        import wandb

        settings = wandb.Settings(silent=True, console="off", x_disable_stats=True)
        run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=record.name,
            dir=str(self._folder),
            mode=self._mode,
            config=dict(record.parameters),
            settings=settings,
        )
        failed = 1
        try:
            # Its steps have to rise: a stage that begins again at step 1 goes on in rows.
            for step, values in record.curves:
                stages = {name.rpartition("/")[0] for name in values}
                run.log({**values, **{f"{stage}/step": step for stage in stages}})
            run.log(dict(record.metrics))
            files = Path(run.dir)
            for path in record.write_files(files):
                if path.name in ("report.json", "table.csv", "picture.png"):
                    run.save(str(path), base_path=str(files), policy="now")
            failed = 0
        finally:
            run.finish(exit_code=failed)
        return f"the run {run.id} of Weights & Biases in {self._folder}"
