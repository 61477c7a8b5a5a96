"""Search spaces by name, and from a user's file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError, did_you_mean
from ..models.checks import check_name, shown
from ..models.json_object import read_json_object
from .autovit_genes import AUTOVITS, AutoViTFamilySpace, of_the_paper
from .efficientvit_genes import EFFICIENTVIT, EfficientViTSearchSpace
from .search_space import SearchSpace
from .vit_genes import AUTOFORMERS, ViTSearchSpace, autoformer

SEARCH_SPACES = (*AUTOVITS, *AUTOFORMERS, "efficientvit")
_FAMILIES: dict[
    str, type[AutoViTFamilySpace] | type[EfficientViTSearchSpace] | type[ViTSearchSpace]
] = {
    "autovit": AutoViTFamilySpace,
    "efficientvit": EfficientViTSearchSpace,
    "vit": ViTSearchSpace,
}
LARGEST_FILE_BYTES = 1_000_000
# In the folder of a supernet: what says its space, with the classes and channels of its images.
SUPERNET = "supernet.json"


def find_search_space(name_or_path: str) -> SearchSpace:
    """Return the space of that name, of a TOML or JSON file, or of a supernet's folder.

    Raises UserError for a name that is none, naming the nearest, and for a file that describes no
    space, naming its wrong field.
    """
    if name_or_path in AUTOVITS:
        return of_the_paper(AUTOVITS[name_or_path])
    if name_or_path in AUTOFORMERS:
        return autoformer(name_or_path, *AUTOFORMERS[name_or_path])
    if name_or_path == "efficientvit":
        return EfficientViTSearchSpace.from_fields(name_or_path, EFFICIENTVIT)
    path = Path(name_or_path)
    if (path / SUPERNET).is_file():
        return _of_supernet(path / SUPERNET)
    if path.suffix not in (".toml", ".json"):
        raise UserError(
            f"unknown search space {shown(name_or_path)}"
            f"{did_you_mean(name_or_path, SEARCH_SPACES)}; they are {', '.join(SEARCH_SPACES)}, or "
            "a .toml or .json file with one of your own (docs/search-spaces.md)."
        )
    record = _toml(path) if path.suffix == ".toml" else read_json_object(path)[0]
    record.setdefault("name", path.stem)
    return search_space_from_dict(record, f"'{path}'")


def search_space_from_dict(record: Mapping[str, Any], source: str) -> SearchSpace:
    """Return the space with these fields; `source` is what a message calls them."""
    given = dict(record)
    family, name = given.pop("family", None), given.pop("name", "custom")
    if not isinstance(family, str) or family not in _FAMILIES:
        raise UserError(
            f"{source}: family={shown(family)} has no search spaces; it is one of "
            f"{', '.join(_FAMILIES)}."
        )
    try:
        check_name("name", name)
        return _FAMILIES[family].from_fields(name, given)
    except UserError as error:
        raise UserError(f"{source}: {error}") from None


def _of_supernet(path: Path) -> SearchSpace:
    record, source = read_json_object(path)
    if not isinstance(record.get("space"), dict):
        raise UserError(f"{source} does not say which space the supernet is of.")
    return search_space_from_dict(record["space"], f"{source}, space")


def _toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise UserError(
            f"the space file '{path}' cannot be read: {error.strerror}; check the path."
        ) from None
    if len(data) > LARGEST_FILE_BYTES:
        raise UserError(f"'{path}' is larger than 1 MB, so it describes no search space.")
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:  # a number of thousands of digits too
        raise UserError(f"'{path}' is not valid TOML ({error}); correct it.") from None
