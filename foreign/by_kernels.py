"""A model of a family as its graph: for tables that have kernels and no blocks."""

from __future__ import annotations

from ..models.families.foreign.spec import ForeignSpec
from ..models.spec import Spec
from .graph_spec import spec_of_source


def by_kernels(spec: Spec, batch: int = 1) -> ForeignSpec:
    """Return the foreign model that a family's model is when torch exports it, of the same name.

    Raises UserError where it cannot be exported.
    """
    import torch

    from ..backends.random_input import input_dtype, seeded_input
    from ..models import create_model
    from ..models.modules.folding import folded
    from .sources.module_source import ModuleSource

    if isinstance(spec, ForeignSpec):
        return spec
    module = create_model(spec).eval()
    shape = (batch, *spec.blocks()[0].input_shape)
    example = torch.from_numpy(seeded_input(shape, input_dtype(module, "fp32")))
    source = ModuleSource(spec.name, folded(module), [("input", example)])
    return spec_of_source(source, spec.name)
