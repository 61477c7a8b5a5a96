"""A supernet: one model whose weights all smaller models of its space share."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ...models import Spec, create_model
from ...models.inheritance.inherited import inherited
from ...models.inheritance.tensor_slices import taken
from ...models.modules.classifier import mean_logits
from ...models.modules.spec_model import SpecModel, spec_of
from ...models.skeleton import skeleton

# Modules that are kept to be run again, on the meta device: they hold no weights.
KEPT_SUBNETS = 64


class Supernet(nn.Module):
    """The largest model, and every subnet that inherits its weights (Kong et al. 2025, 3.4).

    `model` is the model of the largest spec; calling the supernet runs it. `subnet(spec)` runs a
    smaller one on slices of the same tensors, so that its gradients arrive here.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self._subnets: OrderedDict[Spec, Subnet] = OrderedDict()

    @property
    def spec(self) -> Spec:
        return spec_of(self.model)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of the largest model, (batch, classes)."""
        return self.model(images)

    def forward_heads(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of each of its classification heads."""
        return _heads_of(self.model, images)

    def subnet(self, spec: Spec) -> Subnet:
        """Return the subnet of this spec, which runs on this supernet's weights.

        Raises UserError where it does not fit into the supernet.
        """
        key = dataclasses.replace(spec, name=self.spec.name)
        found = self._subnets.pop(key, None)
        if found is None:
            found = Subnet(self, spec)
        self._subnets[key] = found
        while len(self._subnets) > KEPT_SUBNETS:
            self._subnets.popitem(last=False)
        return found

    def extract(self, spec: Spec) -> SpecModel:
        """Return the subnet as a model of its own, with copies of the weights, in eval mode.

        Raises UserError where it does not fit into the supernet.
        """
        tensors = self.state_dict()
        with torch.no_grad(), torch.device("meta"):
            model = create_model(spec)
        copies = {
            name: taken(tensors[f"model.{part.source}"], part).clone()
            for name, part in inherited(self.spec, spec).items()
        }
        model.load_state_dict(copies, assign=True)
        for name in _not_saved(model):
            module, _, own = name.rpartition(".")
            constant = self.model.get_buffer(name).clone()
            model.get_submodule(module).register_buffer(own, constant, persistent=False)
        return model.eval()


class Subnet(nn.Module):
    """A smaller model on slices of a supernet's tensors.

    Its parameters are the supernet's, whose mode (train or eval) it is in. In train mode its batch
    norms update the supernet's running statistics, as far as they are its own.
    """

    def __init__(self, supernet: Supernet, spec: Spec) -> None:
        super().__init__()
        self.spec = spec
        self.supernet = supernet
        self._slices = inherited(supernet.spec, spec)
        made = skeleton(spec)
        self._constants = _not_saved(made)
        # In a tuple, so that it is not a submodule: it has no weights of its own.
        self._skeleton = (_Heads(made),)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, (batch, classes)."""
        return mean_logits(self.forward_heads(images))

    def forward_heads(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of each classification head."""
        (heads,) = self._skeleton
        heads.train(self.supernet.training)
        model = self.supernet.model
        tensors: dict[str, Tensor] = dict(model.named_parameters())
        tensors.update(model.named_buffers())
        own = {
            f"model.{name}": taken(tensors[part.source], part)
            for name, part in self._slices.items()
        }
        own.update({f"model.{name}": tensors[name] for name in self._constants})
        return functional_call(heads, own, (images,), strict=True)


def _not_saved(model: nn.Module) -> list[str]:
    """Return the names of buffers that no checkpoint has.

    They depend on the place in the model alone (which token is in which window), so that they are
    those of the same name in the supernet.
    """
    saved = model.state_dict().keys()
    return [name for name, _ in model.named_buffers() if name not in saved]


class _Heads(nn.Module):
    """A model that returns the logits of each of its heads."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return _heads_of(self.model, images)


def _heads_of(model: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    forward_heads = getattr(model, "forward_heads", None)
    return (model(images),) if forward_heads is None else forward_heads(images)
