"""The torch module of a subject, with random weights: activations as large as a trained one's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..models import Spec, create_block, create_model
from ..models.families.foreign.spec import ForeignSpec
from .plan import Subject

if TYPE_CHECKING:
    from torch import nn


def random_module(subject: Subject) -> tuple[nn.Module, tuple[int, ...]]:
    """Return the subject's torch module and its input shape for one image, folded for use.

    Its weights are random, and such that activations are as large as a trained model's
    (`fill_as_trained`). They are the same every time, so that equal builds give equal artifacts.
    """
    import torch
    from torch import nn

    from ..backends.random_input import input_dtype, seeded_input
    from ..models.modules.folding import folded
    from ..models.modules.trained_like import fill_as_trained

    with _no_initialisation():
        if isinstance(subject, Spec):
            module: nn.Module = create_model(subject)
            first = subject.blocks()[0]
        else:
            module, first = nn.Sequential(*map(create_block, subject)), subject[0]
    example = seeded_input((1, *first.input_shape), input_dtype(module, "fp32"))
    fill_as_trained(module.eval(), torch.from_numpy(example))
    return folded(module), first.input_shape


@contextmanager
def _no_initialisation() -> Iterator[None]:
    """Leave weights as memory has them inside the block: they are about to be filled."""
    from torch import nn

    slow = ("trunc_normal_", "normal_", "uniform_", "kaiming_uniform_", "kaiming_normal_")
    kept = {name: getattr(nn.init, name) for name in slow}
    for name in slow:
        setattr(nn.init, name, lambda tensor, *_, **__: tensor)
    try:
        yield
    finally:
        for name, function in kept.items():
            setattr(nn.init, name, function)


def module_of(subject: Subject) -> tuple[nn.Module, tuple[int, ...]] | None:
    """Return the module that the subject is compiled from, and its input shape for one image.

    None for what is only a graph, or has several inputs.
    """
    if not isinstance(subject, ForeignSpec):
        return random_module(subject)
    if subject.source is None or len(subject.inputs) != 1:
        return None
    module = subject.source.module()
    return None if module is None else (module, subject.input_shape)
