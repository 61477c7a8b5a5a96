"""What verbs take in several forms: models by name, file or Spec, search spaces."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import UserError
from ..notes import warn

if TYPE_CHECKING:
    from ..models import Spec
    from ..spaces.space import SearchSpace
    from ..tables import LatencyTable

Path = str | os.PathLike[str]
# The sizes of a foreign model's inputs by name, batch included.
Shapes = Mapping[str, Sequence[int]]


def fetched(models: object, download: bool, weights: bool = False) -> None:
    """Put those of the models that are ids of Hugging Face into the local cache.

    models: one or a sequence; an id may be written as ORG/NAME or hf:ORG/NAME. Nothing is done
    unless `download`. weights: not only what model it is. Raises UserError for an id that cannot be
    downloaded.
    """
    from ..models.hub import fetch, is_hub_id

    if not download:
        return
    several = models if isinstance(models, (list, tuple)) else [models]
    for model in several:
        if not isinstance(model, (str, os.PathLike)):
            continue
        # Of hf:ORG/NAME the weights are random ones: config.json is all that is read.
        is_random = os.fspath(model).startswith("hf:")
        name = os.fspath(model).removeprefix("hf:")
        if is_hub_id(name):
            fetch(name, weights and not is_random)


def spec_of(model: Path | Spec, shapes: Shapes | None = None, batch: int = 1) -> Spec:
    """Return a Spec; a name, a spec's JSON file, a folder or an id of Hugging Face is read.

    A foreign model (`foreign/open_model.py`) is opened: `shapes` are those of its inputs, where it
    leaves them open, and a module is exported for `batch` inputs at once.
    """
    if not isinstance(model, (str, os.PathLike)):
        return model
    from ..foreign.open_model import is_foreign, open_model
    from ..models import create_spec

    text = os.fspath(model)
    if is_foreign(text):
        return open_model(text, shapes, batch)
    spec = create_spec(text)
    if shapes:
        raise UserError(
            f"`shapes` is for foreign models, and '{text}' is of the family '{spec.family}'; take "
            "it away."
        )
    return spec


def specs_of(
    models: Path | Spec | Sequence[Path | Spec], shapes: Shapes | None = None, batch: int = 1
) -> list[Spec]:
    """Return the Spec of each model; one alone is a list of one."""
    if isinstance(models, (str, os.PathLike)) or not isinstance(models, Sequence):
        return [spec_of(models, shapes, batch)]
    return [spec_of(model, shapes, batch) for model in models]


def priced_spec(
    model: Path | Spec, table: LatencyTable, shapes: Shapes | None = None, partial: bool = False
) -> tuple[Spec, tuple[str, ...]]:
    """Return a Spec as a table prices it, and the operators that have no price.

    A foreign model's graph is fused as on the table's machine, and a family's model is one for a
    table that has kernels alone (`measure --kernels`). An operator without a price is a
    UserError unless `partial`.
    """
    from ..models.families.foreign.spec import ForeignSpec

    spec = spec_of(model, shapes)
    if not isinstance(spec, ForeignSpec):
        if not table.ops or not all(op.startswith("kernel_") for op in table.ops):
            return spec, ()
        from ..foreign.by_kernels import by_kernels

        spec = by_kernels(spec)
    from ..foreign.priced import priced
    from ..foreign.rules import version_warning

    warning = version_warning(table.environment.get("runtime"), table.source)
    if warning is not None:
        warn(f"warning: {warning}")
    return priced(spec, table.ops, table.header.observed or {}, partial)


def priced_specs(
    models: Path | Spec | Sequence[Path | Spec], table: LatencyTable, shapes: Shapes | None = None
) -> list[Spec]:
    """Return the Spec of each model as a table prices it, see `priced_spec`."""
    several: Sequence[Path | Spec]
    several = models if isinstance(models, (list, tuple)) else [models]  # type: ignore[list-item]
    return [priced_spec(spec, table, shapes)[0] for spec in several]


def space_of(space: Path | SearchSpace) -> SearchSpace:
    """Return a search space; a name, a file or a supernet's folder is read."""
    if not isinstance(space, (str, os.PathLike)):
        return space
    from ..spaces.registry import find_search_space

    return find_search_space(os.fspath(space))
