"""What the parts share: commands made ready once, and the counts of each."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import fixed_machine
from .commands import Ended, Place, Runner, Setup, import_all
from .faults import Fault, preload
from .material import Material, make_material
from .outcomes import Outcome
from .scenes import Scene


def add_only(parser: argparse.ArgumentParser) -> None:
    """Add --only: the commands whose names hold one of the words."""
    parser.add_argument("--only", default="", help="only commands whose name holds this, or|this")


@dataclass
class Tally:
    """Counts of one command; what went wrong is printed as it happens and kept in `details`."""

    what: str
    target: str
    calls: int = 0
    done: int = 0
    refused: int = 0
    faults: int = 0
    first_seed: int | None = None
    details: list[str] = field(default_factory=list)

    def fault(self, seed: int, words: str) -> None:
        self.faults += 1
        if self.first_seed is None:
            self.first_seed = seed
        self.details.append(f"seed {seed}: {words}")
        print(f"  FAULT {self.target}, seed {seed}: {words}", flush=True)

    @property
    def outcome(self) -> Outcome:
        counts = (self.calls, self.done, self.refused, self.faults)
        return Outcome(self.what, self.target, *counts, self.first_seed)


@dataclass
class Stage:
    """A folder with the material, a runner of commands, and the part's own folder for its runs."""

    folder: Path
    runs: Path
    runner: Runner
    material: Material

    @classmethod
    def ready(cls, out: Path, part: str) -> Stage:
        """Preload the library, import everything and make the material."""
        folder = out.resolve() / "faults"
        preload(folder)
        import_all()
        runner = Runner(setup=sweep_at_once)
        return cls(
            folder, folder / "runs" / part, runner, make_material(folder / "material", runner)
        )

    def place(self, scene: Scene, name: str) -> Place:
        """Return a new place with what the command is given."""
        words = "".join(c if c.isalnum() else "-" for c in scene.name)
        made = Place(self.runs / words / name).make()
        for file, source in scene.given.items():
            if source.is_dir():
                shutil.copytree(source, made.work / file)
            else:
                shutil.copy2(source, made.work / file)
        return made

    def run(
        self,
        scene: Scene,
        place: Place,
        fault: Fault | None = None,
        signal_after_s: tuple[float, int] | None = None,
        setup: Setup | None = None,
    ) -> Ended:
        def prepared() -> None:
            if scene.fixed:
                fixed_machine.install()
            if setup is not None:
                setup()

        return self.runner.run(scene.command, place, fault, signal_after_s, prepared)


def sweep_at_once() -> None:
    """Save a training after every step, and sweep what killed processes left without a wait."""
    from vitprof import temporary_folder
    from vitprof.training import saved_run

    temporary_folder._YOUNG_S = 0.0
    saved_run.SECONDS_BETWEEN = 0.0


def swept(place: Place) -> list[str]:
    """Return what is left behind once the next command has swept the temporary folder."""
    from vitprof import temporary_folder

    temporary_folder._YOUNG_S = 0.0
    temporary_folder.sweep(place.temporary)
    return place.left_behind()


def chosen(scenes: Sequence[Scene], only: str) -> list[Scene]:
    return [one for one in scenes if any(word in one.name for word in only.split("|"))]
