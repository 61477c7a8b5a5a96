"""Names of models that contain a text: vitprof's own and timm's."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import UserError, did_you_mean
from .checks import shown
from .names import spec_names
from .timm_names import timm_architectures, timm_lacks


class Matches(NamedTuple):
    """names: what `create_spec` takes; lacking: by timm's other names, what no family has."""

    names: list[str]
    lacking: dict[str, str]


def matching_models(text: str) -> Matches:
    """Return the names that contain `text`, in upper or lower case.

    timm's have their pretrained tags where the text has a dot; then an architecture's whole name
    and a dot list its tags. Raises UserError, with the nearest name, where there is none.
    """
    timm: dict[str, str | None] = {}
    for arch, one in timm_architectures().items():
        with_tags = [f"{arch}.{tag}" for tag in one.tags] if "." in text else [arch]
        timm |= dict.fromkeys(with_tags, timm_lacks(arch))
    own = spec_names()
    wanted = text.casefold()
    found = [name for name in (*own, *timm) if wanted in name.casefold()]
    if not found:
        raise UserError(
            f"no model's name contains {shown(text)}{did_you_mean(text, [*own, *timm])}; give a "
            "shorter part of it."
        )
    lacking = {name: lacks for name in found if (lacks := timm.get(name))}
    return Matches([name for name in found if name not in lacking], lacking)
