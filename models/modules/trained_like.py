"""Random weights under which a model computes numbers like a trained one's.

A latency depends on numbers in one way: many CPUs take several times as long for a subnormal one.
Those come from activations that grow or fade from layer to layer: logits of thousands make a
softmax whose small values are subnormal.

So a weight need not be random throughout. Each repeats a short random sequence of its own, and a
compiled model, in any format and precision, shrinks to a few percent by ordinary compression.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

# The root mean square of what every layer gives. Queries and keys of this size have logits q·k/√d
# with a standard deviation of about 0.6² = 0.36. The lowest of millions lies some seven of these
# below the mean, so softmax outputs stay above exp(-7 · 0.36) / N, which is a normal fp16 number
# (6.1e-5 or more) up to N = 1300 tokens.
TARGET = 0.6
# Sizes are rounded to steps of 2^(1/8): their last digits differ with the number of threads, and
# equal builds are to give equal bytes.
_STEPS_AN_OCTAVE = 8
_BIAS_BOUND = 0.04
# After how many numbers a parameter repeats itself. Prime, so that rows of a weight are equal only
# where they are this far apart; and short, so that four periods of fp32 lie within the 32,506 bytes
# that deflate looks back: 2:4 masks repeat after four.
_PERIOD = 2027
# For rows that are as long as a period, or a multiple, and would all be equal.
_OTHER_PERIOD = 2017
_Layer = nn.Linear | _ConvNd


def fill_as_trained(module: nn.Module, *example: Tensor) -> None:
    """Give every parameter of `module` random values that keep activations within bounds.

    Weights are drawn uniformly with variance TARGET² / inputs, the same each time; one of more
    than 2027 numbers repeats them, and no two parameters have the same. Then one forward
    pass on `example` sets what trained models have learned: each linear layer and convolution is
    scaled so that its output has a root mean square of TARGET, and each batch norm gets the
    statistics of its own input (mean 0, one variance for all channels) and weight TARGET. This is
    layer-sequential unit variance (Mishkin & Matas 2016, "All you need is a good init",
    algorithm 1) with two changes: the variance is TARGET², and a layer is scaled once, while the
    pass goes on with its scaled output, so that one pass is enough.

    Other norms have weight TARGET. Weights that are used without calling their layer keep the
    first step's variance.

    example: the module's inputs with their batch, normally of one. The module stays in the mode it
    is in, which has to be that of inference. Raises what the module raises when it runs.
    """
    with torch.no_grad():
        _fill_uniformly(module)
        with _scaling_at_first_call(module):
            module(*example)


def _fill_uniformly(module: nn.Module) -> None:
    generator = torch.Generator().manual_seed(0)
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            if parameter.dim() > 1:
                bound = TARGET * math.sqrt(3 / parameter[0].numel())
            elif name == "weight":  # of a norm
                parameter.fill_(TARGET)
                continue
            else:
                bound = _BIAS_BOUND
            _fill_repeating(parameter, bound, generator)


def _fill_repeating(parameter: Tensor, bound: float, generator: torch.Generator) -> None:
    """Fill a parameter with a sequence of uniform numbers, over and over."""
    period = _PERIOD
    if parameter.dim() > 1 and parameter[0].numel() % period == 0:
        period = _OTHER_PERIOD
    count = parameter.numel()
    if count <= period:
        parameter.uniform_(-bound, bound, generator=generator)
        return
    drawn = torch.empty(period).uniform_(-bound, bound, generator=generator)
    parameter.copy_(drawn.repeat(-(-count // period))[:count].view_as(parameter))


@contextmanager
def _scaling_at_first_call(module: nn.Module) -> Iterator[None]:
    """Scale layers and set batch norms when they are first called inside the block."""
    scaled: set[int] = set()

    def after_layer(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        own = [value for value in layer._parameters.values() if value is not None]
        # A weight that others share, or that is computed from others, is not this layer's to scale.
        if "weight" not in layer._parameters or any(id(value) in scaled for value in own):
            return None
        scaled.update(map(id, own))
        factor = TARGET / _on_grid(_root_mean_square(output))
        for value in own:
            value.mul_(factor)
        return output * factor

    def before_norm(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, _BatchNorm)
        if norm.running_mean is None or norm.running_var is None or id(norm) in scaled:
            return
        scaled.add(id(norm))
        norm.running_mean.zero_()
        norm.running_var.fill_(_on_grid(_root_mean_square(inputs[0])) ** 2)

    hooks = []
    for part in module.modules():
        if isinstance(part, _Layer):
            hooks.append(part.register_forward_hook(after_layer))
        elif isinstance(part, _BatchNorm):
            hooks.append(part.register_forward_pre_hook(before_norm))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _root_mean_square(values: Tensor) -> float:
    norm = torch.linalg.vector_norm(values, dtype=torch.float64)
    return float(norm) / math.sqrt(max(values.numel(), 1))


def _on_grid(size: float) -> float:
    """Return the number nearest to `size` on the grid TARGET · 2^(n/8), n whole.

    TARGET for what is not a finite number above 0: then nothing is scaled.
    """
    if not (0 < size < math.inf):
        return TARGET
    steps = round(math.log2(size / TARGET) * _STEPS_AN_OCTAVE)
    return float(TARGET * 2 ** (steps / _STEPS_AN_OCTAVE))
