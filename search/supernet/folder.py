"""A supernet on disk: a model's folder, and supernet.json with its space and what it was shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...atomic_write import write_atomically
from ...errors import UserError
from ...models import Spec, create_model
from ...models.checks import check_known_fields, check_required_fields, check_whole_number, shown
from ...models.inheritance.inherited import inherited
from ...models.json_object import read_json_object
from ...training.data.held_out import digest, hold_out
from ...training.data.images import Images, Normalisation
from ...training.model_folder import SPEC, WEIGHTS, read_normalisation, write_model
from ...training.saved_run import ASKED
from .supernet import Supernet

if TYPE_CHECKING:
    from ...spaces.space import SearchSpace

RECORD = "supernet.json"
FORMAT = 1
_FIELDS = ("format", "space", "training", "held_out", "split_seed", "data", "data_digest")
# A space that is trained on other data has other classes and channels, and is the same otherwise.
_OF_THE_DATA = ("classes", "in_channels")


@dataclass(frozen=True)
class SupernetRecord:
    """What is known of a trained supernet beside its weights.

    training: the options it was trained with, as JSON values; held_out, split_seed: how many of the
    training images of `data` were kept out of its training, and the seed they were drawn with;
    data_digest: of all those images (`training.held_out.digest`).
    """

    space: SearchSpace
    training: Mapping[str, Any]
    held_out: int
    split_seed: int
    data: str
    data_digest: str

    def parts(self, train: Images) -> tuple[Images, Images]:
        """Return what the supernet was trained on and what was held out, of its training images.

        Raises UserError where these are other images: some of them might have been trained on.
        """
        if digest(train) != self.data_digest:
            raise UserError(
                f"{train.name} is not what the supernet was trained on ({self.data}): its images "
                "or their order differ, so that what was held out cannot be known; give the same "
                "`data`."
            )
        return hold_out(train, self.held_out, self.split_seed)

    def check_space(self, asked: SearchSpace) -> None:
        """Raise UserError where the supernet is of another space than the one asked for."""
        own, other = _without_data(self.space.to_dict()), _without_data(asked.to_dict())
        if own != other:
            differing = [k for k in {**own, **other} if own.get(k) != other.get(k)]
            raise UserError(
                f"the supernet is of the space '{self.space.name}' and not of '{asked.name}' "
                f"(they differ in {', '.join(sorted(differing))}); search the space it was "
                "trained for."
            )


@dataclass(frozen=True)
class SupernetFolder:
    """What `read_supernet` found."""

    supernet: Supernet
    norm: Normalisation
    record: SupernetRecord


def write_supernet(
    supernet: Supernet, folder: Path, norm: Normalisation, record: SupernetRecord
) -> None:
    """Write the largest model as any model's folder, and supernet.json beside it."""
    write_model(supernet.model, folder, norm)
    fields = {
        "format": FORMAT,
        "space": record.space.to_dict(),
        "training": dict(record.training),
        "held_out": record.held_out,
        "split_seed": record.split_seed,
        "data": record.data,
        "data_digest": record.data_digest,
    }
    write_atomically(folder / RECORD, json.dumps(fields, indent=2) + "\n")


def read_supernet(folder: Path) -> SupernetFolder:
    """Read a supernet in eval mode.

    Raises UserError for a folder that holds none, and one that is damaged: a field that is unknown,
    missing or wrong, a model that is not its space's largest, weights that do not fit.
    """
    if not (folder / RECORD).is_file():
        if (folder / ASKED).is_file():
            raise UserError(
                f"the supernet {folder} is still being trained (there is no {RECORD} yet); give "
                "the same vitprof supernet command again to finish it."
            )
        raise UserError(
            f"{folder} holds no supernet (there is no {RECORD}); give what vitprof supernet wrote."
        )
    fields, source = read_json_object(folder / RECORD)
    record = _record(fields, source)
    missing = [name for name in (SPEC, WEIGHTS) if not (folder / name).is_file()]
    if missing:
        raise UserError(f"the supernet {folder} is damaged: there is no {missing[0]}.")
    spec = Spec.from_json(folder / SPEC)
    if not are_alike(spec, record.space.supernet_spec()):
        raise UserError(
            f"the supernet {folder} is damaged: {SPEC} is not the largest model of the space "
            f"'{record.space.name}' in {RECORD}."
        )
    norm = read_normalisation(folder)
    if norm is None:
        raise UserError(
            f"the supernet {folder} is damaged: it does not say how images are normalised."
        )
    model = create_model(spec, checkpoint=folder / WEIGHTS)
    return SupernetFolder(Supernet(model).eval(), norm, record)


def weights_digest(folder: Path) -> str:
    """Return a SHA-256 of a supernet's weights: what its subnets' accuracies depend on."""
    with (folder / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def are_alike(first: Spec, second: Spec) -> bool:
    """Return whether two models have the same weights and run alike: each holds the other."""
    try:
        inherited(first, second)
        inherited(second, first)
    except UserError:
        return False
    return True


def _record(fields: Mapping[str, Any], source: str) -> SupernetRecord:
    from ...spaces.registry import search_space_from_dict

    try:
        check_known_fields(fields, _FIELDS)
        check_required_fields(fields, _FIELDS)
        check_whole_number("format", fields["format"], FORMAT, FORMAT)
        check_whole_number("held_out", fields["held_out"], 1, 2**40)
        check_whole_number("split_seed", fields["split_seed"], 0, 2**63)
        for name, kind, words in (
            ("space", dict, "an object"),
            ("training", dict, "an object"),
            ("data", str, "text"),
            ("data_digest", str, "text"),
        ):
            if not isinstance(fields[name], kind):
                raise UserError(f"{name}={shown(fields[name])} must be {words}.")
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    return SupernetRecord(
        space=search_space_from_dict(fields["space"], f"{source}, space"),
        training=fields["training"],
        held_out=fields["held_out"],
        split_seed=fields["split_seed"],
        data=fields["data"],
        data_digest=fields["data_digest"],
    )


def _without_data(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in _OF_THE_DATA}
