"""What a run keeps on disk, so that it can be killed at any time and go on."""

from __future__ import annotations

import io
import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..atomic_write import holds_something, made_folder, remove_left_parts, write_atomically
from ..errors import UserError
from ..models import create_model
from ..notes import note
from ..progress import OnProgress
from ..shown import one_line
from ..untrusted.archives import check_unpacked, opened_zip
from ..untrusted.files import read_text
from ..untrusted.structured import json_object
from .asked_options import check_same_options, options_text
from .data.images import Normalisation
from .history import HISTORY, History
from .model_folder import SPEC, WEIGHTS, write_model

if TYPE_CHECKING:
    from .loop import TrainingRun

ASKED, STATE, REPORT = "run.json", "state.pt", "report.json"
SECONDS_BETWEEN = 60.0
# Models that only a run that is not finished needs: `nvit.leftovers`.
_BETWEEN = ("pruned-*", "finetuned-*")
LARGEST_OPTIONS = 10_000_000


class SavedRun:
    """A folder with the run's options, its latest state, and the models that it has so far.

    `asked` are the options: JSON values, dataclasses and paths, nested as they like. `fresh` begins
    again where the folder holds a run; None: the caller has no such option. Raises UserError where
    it holds a run of other options (naming each as "epochs 40 -> 8"), a finished one, or other
    files.
    """

    def __init__(
        self,
        folder: Path,
        asked: Mapping[str, Any],
        writes: bool = True,
        fresh: bool | None = False,
    ) -> None:
        self._can_be_fresh = fresh is not None
        self.folder = folder
        self.writes = writes
        self.history = History()
        self._saved_at = time.monotonic()
        holds_run = (folder / ASKED).is_file()
        if holds_run and fresh and writes:
            self._begin_anew()
        if holds_run and not fresh:
            self._check_same(asked)
        elif not holds_run and holds_something(folder):
            raise UserError(
                f"{folder} is not empty and holds no run to continue; give another `out`."
            )
        elif writes:
            made_folder(folder)
            write_atomically(folder / ASKED, options_text(asked))

    def _check_same(self, asked: Mapping[str, Any]) -> None:
        if (self.folder / REPORT).exists():
            if self.writes:
                remove_leftovers(self.folder)
            anew = ", or `fresh` to start again" if self._can_be_fresh else ""
            raise UserError(f"{self.folder} holds a finished run; give another `out`{anew}.")
        path = self.folder / ASKED
        text = read_text(path, "the options of a run", LARGEST_OPTIONS)
        check_same_options(json_object(text, f"'{path}'"), asked, self.folder)

    def _begin_anew(self) -> None:
        """Remove what a run goes on from: its state, its report and the models it has so far."""
        for name in (REPORT, STATE, HISTORY):
            (self.folder / name).unlink(missing_ok=True)
        for model in [path.parent for path in self.folder.glob(f"*/{SPEC}")]:
            shutil.rmtree(model)

    @property
    def resumes(self) -> bool:
        return (self.folder / STATE).exists()

    def is_due(self) -> bool:
        """Whether it is time to save again."""
        return time.monotonic() - self._saved_at >= SECONDS_BETWEEN

    def save(self, state: Mapping[str, Any]) -> None:
        """Keep the state in place of the one before, in one step, and then the history."""
        self._saved_at = time.monotonic()
        if not self.writes:
            return
        data = io.BytesIO()
        torch.save({**state, "history": self.history.state()}, data)
        write_atomically(self.folder / STATE, data.getvalue())
        self._write_history()

    def _write_history(self) -> None:
        if self.history.rows:
            write_atomically(self.folder / HISTORY, self.history.to_csv())

    def load(self) -> dict[str, Any] | None:
        """Return the latest state, None where there is none; only tensors and plain values."""
        if not self.resumes:
            return None
        path = self.folder / STATE
        with opened_zip(path) as archive:
            check_unpacked(path, archive, "the state")
        try:
            state = torch.load(path, weights_only=True, map_location="cpu")
            if not isinstance(state, dict):
                raise TypeError(f"it holds a {type(state).__name__}")
            # A run that an older vitprof began has none. What this process added is newer.
            history = History.from_state(state.pop("history", ()))
            self.history = self.history if self.history.rows else history
        except Exception as error:  # a damaged pickle makes torch raise a dozen kinds
            reason = one_line(str(error))[:120] or type(error).__name__
            raise UserError(
                f"'{path}' cannot be read ({reason}); remove it to start over."
            ) from None
        return state

    def save_model(self, name: str, model: nn.Module, norm: Normalisation | None) -> None:
        if self.writes:
            write_model(model, self.folder / name, norm)

    def load_model(self, name: str) -> nn.Module | None:
        folder = self.folder / name
        if not (folder / SPEC).exists():
            return None
        return create_model(folder / SPEC, checkpoint=folder / WEIGHTS)

    def finish(self, report: Mapping[str, Any], *leftovers: str) -> None:
        """Write the report and remove what only a run that is not finished needs."""
        if not self.writes:
            return
        self._write_history()
        write_atomically(self.folder / REPORT, json.dumps(report, indent=2) + "\n")
        _remove(self.folder, *leftovers, STATE)


def remove_leftovers(folder: Path) -> None:
    """Remove what a finished run left that was interrupted between its report and its end.

    Its state is what it removes last. A folder that is a run itself is the user's.
    """
    remove_left_parts(folder)
    if not (folder / STATE).exists():
        return
    between = [path for one in _BETWEEN for path in folder.glob(f"{one}/{SPEC}")]
    own = [path.parent.name for path in between if not path.with_name(ASKED).exists()]
    _remove(folder, *own, STATE)


def _remove(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def train_to_end(
    run: TrainingRun,
    saved: SavedRun,
    on_progress: OnProgress,
    tested: Callable[[nn.Module], float] | None = None,
    test_every: float | None = None,
) -> list[float]:
    """Take all steps that are left (none for 0 epochs), from where the run in the folder stopped.

    The state and the history are saved on the way. Every `test_every` epochs `tested` is called
    with the model as it would be the result; it returns the top-1 accuracy (0 to 1). Not after the
    last step: the result is tested by itself. Returns the running mean of the loss after each step,
    those of an interrupted run included.
    """
    losses: list[float] = []
    state = saved.load()
    if state is not None:
        try:
            run.restore(state)
            losses = list(state.get("losses", losses))
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            reason = one_line(str(error))[:120] or type(error).__name__
            raise UserError(
                f"'{saved.folder / STATE}' is not the state of this run ({reason}); remove it to "
                "start over."
            ) from None
        note(f"going on after step {run.progress.step} of {run.steps_in_all}.")
    if not run.plan.epochs:
        return losses
    steps, an_epoch = run.steps_in_all, run.steps_an_epoch
    due, words = _tests(test_every, steps, an_epoch) if tested else set(), ""
    for progress in run.steps():
        losses.append(progress.loss)
        top1 = None
        if tested is not None and progress.step in due:
            with run.testable() as model:
                top1 = tested(model)
            words = f", top-1 {100 * top1:.2f} %"
        saved.history.add("training", progress, steps, an_epoch, top1)
        on_progress("training", progress.step, steps, f"loss {progress.loss:.3f}{words}")
        if saved.is_due():
            saved.save({**run.state(), "losses": losses})
    return losses


def _tests(every: float | None, steps: int, an_epoch: int) -> set[int]:
    """Return the steps after which a model is tested, the last one left out."""
    if every is None:
        return set()
    # After every step at most, however small the distance.
    distance = max(every * an_epoch, 1.0)
    return {round(nth * distance) for nth in range(1, int(steps / distance) + 1)} - {steps}
