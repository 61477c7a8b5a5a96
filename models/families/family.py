"""The record of a family of models: where everything stands that is different in each."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ...errors import UserError
from ...plugins import API_VERSION, in_short


@dataclass(frozen=True, kw_only=True, eq=False)
class Family:
    """One family. Places are "module:name", imported when used: reading a spec needs no torch.

    The module is relative to `package` where it begins with a dot, and the package itself where it
    is left away (":name"). Those that may be None are of what a family need not have.

    name: as in the JSON of a spec; title: as in a sentence; takes: what its models classify.
    spec: the Spec's class. known: () -> list of the specs known by name. ops: the Ops of its own.
    module: the SpecModel's class, made from a spec. blocks: dict from an op's name to what makes
    the module of a Block.

    space: what of it is measured and searched, see `spaces/`.
    hugging_face: by a config.json's `model_type`, (config, name) -> Spec.
    rename: weights of a checkpoint -> the same under the module's names.
    of_checkpoint: (spec, Checkpoint, known by name) -> the spec as the checkpoint's origin has it.
    choices: the Choices that variants of a model differ in.
    published: the ablation table of the family's paper, a PublishedTable.
    structures: (spec, aligned) -> list of Structures, what can be pruned; with_units: (spec, units
    by structure) -> the spec that is left. steps: spec -> ChannelSteps, of convolutions only.
    removable: spec -> the RemovableModules of its model.
    inherited: (supernet, subnet) -> the subnet's Slices by the name of its tensor.
    skeleton: spec -> its model without weights, or None where `create_model` makes that.
    """

    name: str
    title: str
    package: str
    spec: str
    known: str
    ops: str
    module: str
    blocks: str
    takes: Literal["images", "texts"] = "images"
    space: str | None = None
    hugging_face: Mapping[str, str] = field(default_factory=dict)
    rename: str | None = None
    of_checkpoint: str | None = None
    choices: str | None = None
    published: str | None = None
    structures: str | None = None
    with_units: str | None = None
    steps: str | None = None
    removable: str | None = None
    inherited: str | None = None
    skeleton: str | None = None
    api: int = API_VERSION

    def load(self, field_name: str) -> Any:
        """Return what stands at the place that a field names; None where it names none."""
        place = getattr(self, field_name)
        return None if place is None else self.at(place)

    def at(self, place: str) -> Any:
        """Return what stands at this place; raises UserError where another wheel's is not there."""
        module, _, name = place.partition(":")
        try:
            return getattr(importlib.import_module(module or self.package, self.package), name)
        except (Exception, SystemExit) as error:
            if self._is_ours or getattr(error, "name", None) == "torch":
                raise
            raise UserError(
                f"'{place}' of the family '{self.name}' cannot be imported ({in_short(error)}); "
                "correct or remove the wheel that brings it."
            ) from error

    @property
    def _is_ours(self) -> bool:
        return self.package.partition(".")[0] == __name__.partition(".")[0]
