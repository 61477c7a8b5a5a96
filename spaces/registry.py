"""The spaces by name: one class a family, the search spaces that are known, and a user's file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError, did_you_mean
from ..models import Block, Spec
from ..models.ablations import single_variants
from ..models.checks import check_name, shown
from ..models.families.registry import families_with, find_of
from ..models.json_object import read_json_object
from ..untrusted.files import read_text
from ..untrusted.structured import toml_table
from .drawn_slabs import DrawnSlabs
from .slabs import FamilySlabs, MeasuringSpace
from .space import SearchSpace

LARGEST_FILE_BYTES = 1_000_000
# In the folder of a supernet: what says its space, with the classes and channels of its images.
SUPERNET = "supernet.json"


# --- families ------------------------------------------------------------------------------------


def families_with_spaces() -> list[str]:
    """Return the names of the families that can be measured and searched."""
    return families_with("space")


def space_class(family: str) -> type[SearchSpace]:
    """Return the space of a family; raises UserError for one that is unknown or has none."""
    found: type[SearchSpace] | None = find_of(family, "space")
    if found is None:
        raise UserError(f"the family '{family}' has no space, so nothing of it is measured.")
    return found


def slabs_class(family: str) -> type[FamilySlabs]:
    """Return what is measured of a family; raises UserError naming the nearest known one."""
    return space_class(family).slabs()


def with_variants(space: MeasuringSpace, spec: Spec) -> MeasuringSpace:
    """Return the space with what the variants of a model need that differ in one choice.

    Raises UserError for a model of another family, or one whose family has no variants.
    """
    if not isinstance(space, DrawnSlabs) or spec.family != space.name:
        raise UserError(
            f"{spec.name} of the `ablations` is of the family '{spec.family}', and what is "
            f"measured of '{space.name}'; give `family` {spec.family}."
        )
    for variant in single_variants(spec):
        blocks = dict.fromkeys(variant.spec.blocks())
        if not all(map(space.covers, blocks)):
            space = space.with_slabs(space.covering(variant.spec).slabs)
    return space


def blocks_of_variants(spec: Spec) -> list[Block]:
    """Return the blocks of a model and of its variants that differ in one choice.

    What a choice costs should be measured and not interpolated: a V ratio of 0.4 makes widths that
    a runtime takes another path for than for those around them.
    """
    specs = [spec, *(variant.spec for variant in single_variants(spec))]
    return list(dict.fromkeys(block for one in specs for block in one.blocks()))


def with_merging(space: MeasuringSpace) -> MeasuringSpace:
    """Return the space with models that merge tokens; UserError where the family has none."""
    from .vit import ViTSlabs

    if not isinstance(space, ViTSlabs):
        raise UserError(
            f"`merging`: models of the family '{space.name}' merge no tokens; vit's do."
        )
    return space.with_merging()


# --- search spaces -------------------------------------------------------------------------------


def _known() -> Iterator[tuple[str, str]]:
    """Yield the name of each known search space, and its family."""
    for family in families_with_spaces():
        for name in space_class(family).known():
            yield name, family


def search_space_names() -> list[str]:
    """Return the names of the known search spaces."""
    return [name for name, _ in _known()]


def find_search_space(name_or_path: str) -> SearchSpace:
    """Return the space of that name, of a TOML or JSON file, or of a supernet's folder.

    Raises UserError for a name that is none, naming the nearest, and for a file that describes no
    space, naming its wrong field.
    """
    for name, family in _known():
        if name == name_or_path:
            kind = space_class(family)
            return kind.from_fields(name, kind.known()[name])
    path = Path(name_or_path)
    if (path / SUPERNET).is_file():
        return _of_supernet(path / SUPERNET)
    if path.is_dir():
        raise UserError(
            f"the folder '{path}' holds no search space: there is no {SUPERNET} in it, which "
            "vitprof supernet writes once its training is done."
        )
    if path.suffix not in (".toml", ".json"):
        raise UserError(
            f"unknown search space {shown(name_or_path)}"
            f"{did_you_mean(name_or_path, search_space_names())}; vitprof space lists all, and "
            "a .toml or .json file may hold one of your own (docs/search-spaces.md)."
        )
    record = _toml(path) if path.suffix == ".toml" else read_json_object(path)[0]
    record.setdefault("name", path.stem)
    return search_space_from_dict(record, f"'{path}'")


def search_space_from_dict(record: Mapping[str, Any], source: str) -> SearchSpace:
    """Return the space with these fields; `source` is what a message calls them."""
    given = dict(record)
    family, name = given.pop("family", None), given.pop("name", "custom")
    known = families_with_spaces()
    if not isinstance(family, str) or family not in known:
        raise UserError(
            f"{source}: family={shown(family)} has no search spaces; it is one of "
            f"{', '.join(known)}."
        )
    try:
        check_name("name", name)
        return space_class(family).from_fields(name, given)
    except UserError as error:
        raise UserError(f"{source}: {error}") from None


def _of_supernet(path: Path) -> SearchSpace:
    record, source = read_json_object(path)
    if not isinstance(record.get("space"), dict):
        raise UserError(f"{source} does not say which space the supernet is of.")
    return search_space_from_dict(record["space"], f"{source}, space")


def _toml(path: Path) -> dict[str, Any]:
    return toml_table(read_text(path, "a search space", LARGEST_FILE_BYTES), f"'{path}'")
