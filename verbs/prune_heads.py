"""`vitprof.prune_heads`: a model at several levels of fewer heads, nothing trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import UserError
from ..models import Spec
from ..profiler.deployed.result import DeployedModels
from ..progress import ProgressOption, shown_progress
from .given_weights import trained_folder
from .handed_back import hand_back, is_foreign
from .inputs import fetched

if TYPE_CHECKING:
    from ..compress.heads.head_levels import Level
    from ..training.data.images import Normalisation

MOST_LEVELS = 1000


@dataclass(frozen=True)
class HeadLevel:
    """One level's model: its folder, the heads by layer, and (layer, head) of those that went."""

    number: int
    path: Path
    spec: Spec
    heads: Mapping[str, int]
    gone: tuple[tuple[str, int], ...]

    @property
    def heads_in_all(self) -> int:
        return sum(self.heads.values())

    def as_dict(self) -> dict[str, Any]:
        return {
            "level": self.number,
            "folder": str(self.path),
            "heads_in_all": self.heads_in_all,
            "heads": dict(self.heads),
            "gone": [list(one) for one in self.gone],
        }


@dataclass(frozen=True, repr=False)
class PruneHeadsResult(DeployedModels):
    """The levels of a model side by side, the whole model first.

    loader: the lines of each level's load.py, where the weights came from elsewhere.
    """

    model: str
    norm: str
    reconstruct: int
    levels: tuple[HeadLevel, ...]
    loader: str | None = None

    def about(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "runtime": self.runtime,
            "norm": self.norm,
            "reconstruct": self.reconstruct,
            "levels": [one.as_dict() for one in self.levels],
            **({} if self.loader is None else {"loader": self.loader}),
        }


def prune_heads(
    model: str | Path,
    data: str | Path,
    *,
    out: str | Path,
    levels: int = 4,
    heads: str | Sequence[int] | None = None,
    norm: Literal["relative", "absolute"] = "relative",
    reconstruct: int = 512,
    checkpoint: str | Path | None = None,
    resolution: int | None = None,
    batch: int = 1,
    threads: int = 1,
    test_images: int | None = None,
    sessions: int = 5,
    seed: int = 0,
    download: bool = False,
    progress: ProgressOption = False,
) -> PruneHeadsResult:
    """Take attention heads out of a model level by level: those whose weights have the least norm.

    Every level is a smaller model, with its spec and weights; all are tested and their latencies
    measured side by side. Nothing is trained.

        found = vitprof.prune_heads("digits", "digits", out="levels", levels=2)
        [level.heads_in_all for level in found.levels]
        found.to_frame()[["name", "latency_ms", "top1"]]
        found.plot()

    Args:
        model: the folder of a trained model.
        data: see `vitprof.train`.
        out: folder to write: a folder a level, facts.csv, facts.png and report.json.
        levels: how many; four fifths of the heads that can go are shared out.
        heads: heads that each level takes out, e.g. [12, 12, 24]: in place of `levels`.
        norm: "relative": over the mean of the head's layer; or "absolute".
        reconstruct: training images that each level's last layers are fitted to, without labels;
            0 leaves them, as in the paper.
        checkpoint: the weights of `model`, where that is a name or a spec.
        resolution: scale images to so many pixels a side; None: the model's.
        batch: images a run that is measured.
        threads: the runtime's threads.
        test_images: test on so many of the test images; None: all.
        sessions: fresh sessions that each is measured in.
        seed: which images are fitted to.
        download: fetch an id of Hugging Face that the local cache lacks.
        progress: True for a bar on stderr, or a function (see progress.OnProgress).

    Raises:
        UserError: there are not so many heads to take out, `out` holds something, or the images do
            not fit the model.
    """
    from ..compress.heads.head_levels import check_counts, even_counts, repair_by
    from ..compress.heads.head_levels import levels as levels_of
    from ..compress.heads.method import HeadsOptions
    from ..models import create_model
    from ..option_fields import taken_options
    from ..profiler.deployed.comparison import Comparison
    from ..training.data.held_out import some_of
    from ..training.data.loading import images_for_trained
    from ..training.inputs import model_inputs
    from ..training.saved_run import SavedRun

    comparison = Comparison(batch, threads, test_images, sessions)
    options = taken_options(HeadsOptions, {"norm": norm, "reconstruct": reconstruct})
    if not 1 <= levels <= MOST_LEVELS:
        raise UserError(f"`levels` is {levels}; it has to be from 1 to {MOST_LEVELS}.")
    given = None if heads is None else _counts(heads)
    folder = Path(out)
    fetched(model, download, weights=True)
    comparison.check_free()
    with trained_folder(model, checkpoint) as trained, shown_progress(progress) as on_progress:
        weights, images, normal = images_for_trained(trained, str(data), resolution, on_progress)
        base: Any = create_model(weights, checkpoint=weights)
        counts = even_counts(base, levels) if given is None else given
        check_counts(base, counts)
        asked = {
            "command": "prune-heads",
            "model": model,
            "checkpoint": checkpoint or "",
            "data": data,
            "resolution": resolution,
            "heads": counts,
            **vars(options),
            "comparison": comparison,
            "seed": seed,
        }
        SavedRun(folder, asked, fresh=None)  # one that was interrupted begins anew in its folder
        on_progress("pruning", 0, len(counts), "")
        repair = None
        if options.reconstruct:
            looked_at: Any = model_inputs(some_of(images.train, options.reconstruct, seed), normal)
            repair = repair_by(looked_at, base)
        files, made, loader = {}, [], None
        for level in levels_of(base, counts, options.norm == "relative", repair):
            name = f"level-{level.number}" if level.number else "whole"
            made.append(_written(level, folder / name, base.spec.name, normal))
            if level.number and is_foreign(weights):
                loader = hand_back(level.model, folder / name, weights)
            files[name] = comparison.write(folder / name, "fp32", folder / name)
            on_progress("pruning", level.number, len(counts), f"{level.heads_in_all} heads")
        facts = comparison.measure(files, images, normal, on_progress)
    result = PruneHeadsResult(
        tuple(facts), "onnxruntime", folder, str(model), norm, reconstruct, tuple(made), loader
    )
    result.save(folder)
    return result


def _counts(heads: str | Sequence[int]) -> list[int]:
    parts = heads.split(",") if isinstance(heads, str) else heads
    try:
        found = [int(part) for part in parts]
    except ValueError:
        found = [0]
    if min(found, default=0) < 1:
        raise UserError(
            f"`heads` {heads} is not a list of heads to take out, one number a level; write 3,3,4."
        )
    return found


def _written(level: Level, folder: Path, name: str, norm: Normalisation) -> HeadLevel:
    """Write the level's model, and return its record."""
    from ..training.model_folder import write_model

    model: Any = level.model
    if level.number:
        model.spec = replace(model.spec, name=f"{name}-heads-{level.number}")
    write_model(model, folder, norm)
    return HeadLevel(level.number, folder, model.spec, level.heads, level.gone)
