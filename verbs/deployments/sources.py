"""The trained models of folders of any origin, as variants to choose from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ...notes import note
from ...search.deployment_space.deployment import Variant

if TYPE_CHECKING:
    from ...models import Spec
    from ...models.modules.spec_model import SpecModel
    from ...training.data.images import Dataset, Normalisation

SUPERNET = "supernet.json"
SPEC, CONFIG, WEIGHTS = "spec.json", "config.json", "model.safetensors"
# The dataset at a resolution; None: the first model's own.
DataAt = Callable[[int | None], "Dataset"]


@dataclass(frozen=True)
class Source:
    """A trained model: its folder, and how images are normalised for it."""

    name: str
    folder: Path
    spec: Spec
    norm: Normalisation


@dataclass(frozen=True)
class MadeVariant:
    """A variant, and the folder that holds its spec and weights; `digest` is of these."""

    variant: Variant
    folder: Path
    spec: Spec
    norm: Normalisation
    digest: str


def model_folders(paths: Sequence[str | Path]) -> dict[str, Path]:
    """Return the models' folders by name: of each path itself, or all that it holds.

    A path is a folder with a model (also of Hugging Face), or one whose folders are such, as
    prune-heads and prune with several targets write them. Raises UserError for anything else, and
    for one that is given twice.
    """
    from ...training.model_folder import weights_of

    found: dict[str, Path] = {}
    for path in paths:
        place = weights_of(str(path)) or Path(path)
        if _holds_model(place):
            inside = [place]
        elif place.is_dir():
            inside = sorted(one for one in place.iterdir() if _holds_model(one))
        else:
            inside = []
        if not inside:
            raise UserError(f"{path} holds no model, nor folders with one (vitprof train).")
        for one in inside:
            name = place.resolve().name
            if one != place:
                name = f"{name}/{one.name}"
            if found.get(name, one).resolve() == one.resolve() and name in found:
                raise UserError(f"`models` has {path} twice; give each once.")
            if name in found:
                parent = one.resolve().parent
                name = f"{(parent if one == place else parent.parent).name}/{name}"
            found[name] = one
    if not found:
        raise UserError("there are no models to choose from; name one in `models`.")
    return found


def _holds_model(folder: Path) -> bool:
    return folder.is_dir() and any((folder / name).is_file() for name in (SPEC, CONFIG))


def sources_of(
    paths: Sequence[str | Path], data_at: DataAt, subnets: int, seed: int, out: Path
) -> list[Source]:
    """Return the models of the paths; a supernet gives so many subnets, drawn from the seed.

    out: folder for subnets. Raises UserError where one takes other images or names other classes.
    """
    from ...models import create_spec
    from ...training.fit import check_fits, refuse_texts
    from ...training.model_folder import normalisation_for

    found: list[Source] = []
    for name, folder in model_folders(paths).items():
        spec: Any = create_spec(folder)
        refuse_texts(spec, "choose")
        data = data_at(getattr(spec, "resolution", None))
        norm = normalisation_for(folder, data)
        check_fits(spec, data.train, norm)
        if (folder / SUPERNET).is_file():
            found += _subnets(name, folder, data, subnets, seed, out)
        else:
            found.append(Source(name, folder, spec, norm))
    if len({source.norm for source in found}) > 1:
        note("the models normalise images differently; each is judged with its own normalisation.")
    return found


def _subnets(
    name: str, folder: Path, data: Dataset, count: int, seed: int, out: Path
) -> list[Source]:
    """Return subnets of a supernet, its largest and smallest among them, each in its folder."""
    import numpy as np

    from ...search.supernet.folder import read_supernet
    from ...search.supernet.recalibration import calibration_images, recalibrate
    from ...training.model_folder import write_model

    net = read_supernet(folder)
    space = net.record.space
    drawn = space.sample(np.random.default_rng(seed), max(count - 2, 0))
    rows = [space.largest(), *drawn, space.smallest()][:count]
    specs = dict.fromkeys(space.spec(row) for row in rows)
    images = calibration_images(data.train, seed=seed)
    found = []
    for number, spec in enumerate(specs):
        model = net.supernet.extract(spec)
        recalibrate(model, images, net.norm)
        place = out / f"{name}-subnet-{number}"
        write_model(model, place, net.norm)
        found.append(Source(f"{name}/subnet-{number}", place, model.spec, net.norm))
    return found


def variants_of(
    sources: Sequence[Source], tokens: Sequence[int], resolutions: Sequence[int], out: Path
) -> tuple[list[MadeVariant], dict[str, str]]:
    """Return every model with every token schedule and resolution that it takes, written to `out`.

    tokens: merged in each layer, at most half of those that are left; resolutions: empty for each
    model's own. Also returns why a model was left out of one: {"net, 24 px": reason}.
    """
    from ...models import create_model

    found: list[MadeVariant] = []
    left_out: dict[str, str] = {}
    for source in sources:
        own = getattr(source.spec, "resolution", 0)
        model: SpecModel | None = None
        for pixels in resolutions or (own,):
            for merged in tokens:
                if not merged and pixels == own:
                    found.append(_made(source, 0, pixels, source.folder, source.spec))
                    continue
                model = model or create_model(source.folder, checkpoint=source.folder)
                what = Variant(source.name, merged, pixels).name
                try:
                    changed = _changed(model, merged, pixels)
                except UserError as error:
                    left_out[what] = str(error)
                    continue
                place = out / what.replace("/", "-").replace(", ", "-").replace(" ", "")
                found.append(_written(source, changed, merged, pixels, place))
    return found, left_out


def _changed(model: SpecModel, merged: int, pixels: int) -> SpecModel:
    """Return the model at that resolution, with so many tokens merged in each layer."""
    from ...compress.merging.token_schedule import possible_merges
    from ...models import ViTSpec, create_model
    from ...models.modules.resized import at_resolution

    made = at_resolution(model, pixels)
    if not merged:
        return made
    spec = made.spec
    if not isinstance(spec, ViTSpec) or any(spec.merges) or spec.prefix >= spec.tokens:
        raise UserError(f"{spec.name} has no tokens to merge.")
    merges = possible_merges(spec, [merged] * spec.depth)
    if not any(merges):
        raise UserError(f"{spec.name} has too few tokens to merge any.")
    merging = create_model(replace(spec, merges=merges))
    merging.load_state_dict(made.state_dict())
    return merging.eval()


def _written(
    source: Source, model: SpecModel, merged: int, pixels: int, place: Path
) -> MadeVariant:
    from ...training.model_folder import write_model

    write_model(model, place, source.norm)
    return _made(source, merged, pixels, place, model.spec)


def _made(source: Source, merged: int, pixels: int, folder: Path, spec: Spec) -> MadeVariant:
    variant = Variant(source.name, merged, pixels, spec.family, spec.macs, spec.params)
    return MadeVariant(variant, folder, spec, source.norm, digest_of(folder))


def digest_of(folder: Path) -> str:
    """Return a SHA-256 of a model's weights and spec."""
    made = hashlib.sha256()
    for name in (SPEC, CONFIG, WEIGHTS):
        path = folder / name
        if path.is_file():
            made.update(path.read_bytes())
    return made.hexdigest()


def variants_to_choose_from(
    models: str | Path | Sequence[str | Path],
    data_at: DataAt,
    tokens: Sequence[int],
    resolutions: Sequence[int],
    subnets: int,
    seed: int,
    out: Path,
) -> tuple[dict[Variant, MadeVariant], int]:
    """Return the variants, and the resolution of the first one; say what was left out.

    Raises UserError where none is left.
    """
    paths = [models] if isinstance(models, str | Path) else models
    sources = sources_of(paths, data_at, subnets, seed, out / "models")
    made, left_out = variants_of(sources, tokens, resolutions, out / "models")
    for reason in dict.fromkeys(left_out.values()):
        names = [name for name, other in left_out.items() if other == reason]
        several = f" and {len(names) - 1} more" if len(names) > 1 else ""
        note(f"left out: {names[0]}{several}: {reason}")
    if not made:
        raise UserError(f"no model is left to choose from: {next(iter(left_out.values()))}")
    return {one.variant: one for one in made}, made[0].variant.resolution
