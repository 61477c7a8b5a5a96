"""Specs by name, or from the file that describes one."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from ..errors import UserError, did_you_mean
from .checks import shown
from .families.family import Family
from .families.registry import BUILT_IN, built_in, families
from .hub import CONFIG, cached_or_refuse, id_of_snapshot, is_hub_id
from .hugging_face import spec_from_config
from .json_object import read_json_object
from .once_for_all import is_once_for_all, size_beside, spec_of_once_for_all
from .spec import Spec
from .timm_folder import is_timm_config, spec_from_timm_config
from .timm_names import is_timm_name, timm_architectures, timm_lacks, timm_names, timm_spec

# What a net of Once-for-All is described by, in a folder of its own.
NET_CONFIG = "net.config"
# Files that hold weights alone, as PyTorch and others write them.
_WEIGHTS = (".pth", ".pt", ".ckpt", ".bin", ".safetensors")


@cache
def _known(family: Family) -> dict[str, Spec]:
    """Return the specs that a family knows, by name."""
    specs: list[Spec] = family.load("known")()
    return {spec.name: spec for spec in specs}


def spec_names() -> list[str]:
    """Return the names `create_spec` knows."""
    return list(dict.fromkeys(name for family in families() for name in _known(family)))


def is_known(name: str) -> bool:
    """Whether it is a known model's name, vitprof's or timm's."""
    return _find(name) is not None or (is_timm_name(name) and timm_lacks(name) is None)


def _find(name: str) -> Spec | None:
    """Return the known spec of this name; no other wheel is looked at for what is a path."""
    every = families() if _is_one_word(name) else map(built_in, BUILT_IN)
    return next((_known(family)[name] for family in every if name in _known(family)), None)


def _is_one_word(name: str) -> bool:
    path = Path(name)
    return path.suffix != ".json" and len(path.parts) == 1


def create_spec(name_or_path: str | os.PathLike[str] | Spec) -> Spec:
    """Return the spec of a known name, of a spec's JSON file, or of a directory with a model.

    A name is vitprof's own or timm's, with a pretrained tag or without.

    A directory is read by its spec.json (as training and pruning write it) or else its config.json
    (Hugging Face's or timm's) or net.config (Once-for-All's), which may be given too. An id such
    as google/vit-base-patch16-224 is looked up in the local Hugging Face cache. A
    Spec is returned unchanged.
    Raises UserError for an unknown name (with the nearest known one), a path that does not
    exist, and a file that does not describe a model this package has.
    """
    if isinstance(name_or_path, Spec):
        return name_or_path
    if not isinstance(name_or_path, str | os.PathLike):
        raise UserError(f"a model is a name, a path or a Spec, not {shown(name_or_path)}.")
    known = _find(name_or_path) if isinstance(name_or_path, str) else None
    if known is not None:
        return known
    if isinstance(name_or_path, str) and is_timm_name(name_or_path):
        return timm_spec(name_or_path)
    path = Path(name_or_path)
    if isinstance(name_or_path, str) and is_hub_id(name_or_path):
        path = cached_or_refuse(name_or_path)
    if not _exists(path):
        raise UserError(_not_found(name_or_path, path))
    if not path.is_dir():
        of_folder = path.name in (CONFIG, NET_CONFIG)
        return _spec_from_file(path, _folder_name(path.parent) if of_folder else path.stem)
    for file in ("spec.json", CONFIG, NET_CONFIG):
        if (path / file).is_file():
            own = file == "spec.json"
            return _spec_from_file(path / file, path.resolve().name if own else _folder_name(path))
    raise UserError(
        f"the directory '{path}' has neither spec.json nor config.json, which say what model it "
        "is; give a directory with a model, or the JSON file of a spec."
    )


def _folder_name(folder: Path) -> str:
    """Return a folder's name, or that of the model whose snapshot in a cache it is."""
    model = id_of_snapshot(folder)
    return folder.resolve().name if model is None else model.rpartition("/")[2]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, or with a NUL in it
        return False


def _not_found(given: str | os.PathLike[str], path: Path) -> str:
    if not isinstance(given, str) or not _is_one_word(given):
        return f"there is no file or directory {shown(str(path))}; check the path."
    names = [*spec_names(), *timm_names(), *_with_tags(given)]
    return (
        f"unknown model {shown(given)}{did_you_mean(given, names)}; give a known name "
        "(vitprof models), a file or a directory with a model, or another foreign model, such as "
        "timm:NAME (docs/foreign.md)."
    )


def _with_tags(given: str) -> list[str]:
    """Return timm's names with their tags, where the given name has one."""
    if "." not in given:
        return []
    known = timm_architectures()
    return [f"{name}.{tag}" for name in timm_names() for tag in known[name].tags]


def _refuse_weights(path: Path) -> None:
    """Raise UserError for a file of weights, which does not say what model they belong to."""
    if path.suffix.lower() in _WEIGHTS:
        raise UserError(
            f"{shown(str(path))} holds weights, which do not say what model they are of; name the "
            "model (deit-small, or vitprof models) and give this file as `checkpoint` where "
            "weights matter; a latency is the same for all weights."
        )


def _spec_from_file(path: Path, name: str) -> Spec:
    _refuse_weights(path)
    record, source = read_json_object(path)
    if "family" in record:
        return Spec.from_dict({"name": name, **record}, source)
    if is_once_for_all(record):
        try:
            return spec_of_once_for_all(record, name, size_beside(path))
        except UserError as error:
            raise UserError(f"{source}: {error}") from None
    timms = is_timm_config(record)
    if "model_type" not in record and not timms:
        raise UserError(
            f"{source} has neither the field 'family' of a spec nor the field 'model_type' or "
            "'architecture' of Hugging Face's and timm's config.json; give one of these."
        )
    name = name if name.isprintable() and name else "custom"
    try:
        return spec_from_timm_config(record, name) if timms else spec_from_config(record, name)
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
