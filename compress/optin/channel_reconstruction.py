"""What follows the channels that are gone, fitted so that each layer gives what it gave before.

He, Zhang & Sun 2017 (Channel Pruning for Accelerating Very Deep Neural Networks), section 3.1: the
weights of a convolution over its remaining inputs are solved for by least squares, layer after
layer, so that each makes up for what those before it got wrong. No gradient, no label.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Shares of the inputs' mean square that are added to every one's. Deep layers have more inputs than
# images have places there, so which of these is best is tried on every fourth image; where none is
# better than the weights that are there, these stay.
RIDGES = (1e-3, 1e-2, 1e-1)
HELD_OUT = 4
# Of the many places of early maps, so many rows are enough; and no more numbers than that in all.
MOST_ROWS = 65536
MOST_NUMBERS = 100_000_000
# Largest maps of as many images as are looked at have no more numbers than that.
MOST_OF_MAPS = 500_000_000


@dataclass(frozen=True)
class _Rows:
    """What goes into one layer, rows x inputs, and what is missing in its outputs."""

    inputs: Tensor
    missing: Tensor

    def error(self, change: Tensor | None = None) -> float:
        """Return the sum of squares still missing after a change of the weights."""
        left = self.missing if change is None else self.missing - self.inputs @ change
        return float(left.double().square().sum())


def reconstruct_channels(
    model: nn.Module, full: nn.Module, images: Tensor, kept: Mapping[str, Tensor], batch: int = 32
) -> None:
    """Fit, in place, every layer of a VGG so that its outputs before norm or ReLU are as in `full`.

    model: `full` with only the `kept` channels, by structure; images: n x channels x h x w.
    """
    chained: tuple[Any, Any] = (model, full)
    steps, whole = (each.chain() for each in chained)
    widest = max(int(conv.out_channels) for conv in full.modules() if isinstance(conv, nn.Conv2d))
    most = MOST_OF_MAPS // (widest * images.shape[-1] ** 2)
    parts = list(images[: max(most, HELD_OUT)].split(batch))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        now, before = list(parts), list(parts)
        for place, (step, its) in enumerate(zip(steps, whole, strict=True)):
            layer = _layer(step)
            if layer is not None:
                outputs = kept.get(f"convs.{place}.channels")
                rows = _rows(layer, _layer(its), now, before, outputs, generator)
                _fit(layer, *rows)
            now, before = [step(x) for x in now], [its(x) for x in before]


def _layer(step: nn.Module) -> Any:
    """Return the convolution or linear layer of a step; None where it has no weights."""
    found = [m for m in step.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    return found[0] if found else None


def _rows(
    layer: Any,
    whole: Any,
    now: list[Tensor],
    before: list[Tensor],
    outputs: Tensor | None,
    generator: torch.Generator,
) -> tuple[_Rows, _Rows]:
    """Return the rows to fit to, and those of the images held out.

    outputs: which of the whole layer's are still there; None: all.
    """
    images = sum(len(x) for x in now)
    size = layer.weight[0].numel() + 1
    each = max(min(MOST_ROWS, MOST_NUMBERS // size) // images, 1)
    found: tuple[list[Any], list[Any]] = ([], [])
    seen = 0
    for x, x_before in zip(now, before, strict=True):
        missing = whole(x_before)
        if outputs is not None:
            missing = missing[:, outputs.to(missing.device)]
        missing = missing - layer(x)
        if isinstance(layer, nn.Conv2d):
            places = torch.randperm(missing[0, 0].numel(), generator=generator)[:each]
            inputs = _patches(x, places.to(x.device))
            missing = missing.flatten(2)[:, :, places.to(x.device)].transpose(1, 2)
        else:
            inputs, missing = x[:, None], missing[:, None]
        inputs = F.pad(inputs, (0, 1), value=1.0)  # the bias
        held_out = (torch.arange(seen, seen + len(x)) % HELD_OUT == HELD_OUT - 1).to(x.device)
        for of, flags in zip(found, (~held_out, held_out), strict=True):
            of.append((inputs[flags].flatten(0, 1), missing[flags].flatten(0, 1)))
        seen += len(x)
    fitted, checked = (
        _Rows(*(torch.cat(parts) for parts in zip(*of, strict=True))) for of in found
    )
    return fitted, checked


def _patches(x: Tensor, places: Tensor) -> Tensor:
    """Return images x places x inputs: what a convolution sees at each place of its map."""
    # Three by three with one zero around the map, as every one of a VGG's.
    windows = F.pad(x, (1, 1, 1, 1)).unfold(2, 3, 1).unfold(3, 3, 1)
    rows, columns = places // windows.shape[3], places % windows.shape[3]
    return windows[:, :, rows, columns].transpose(1, 2).flatten(2)


def _fit(layer: Any, fitted: _Rows, checked: _Rows) -> None:
    """Change the layer's weights by what the rows say, if that holds on those held out."""
    rows, missing = fitted.inputs.double(), fitted.missing.double()
    gram, moment = rows.T @ rows, rows.T @ missing
    mean = gram.diagonal().mean()
    best, least = None, checked.error()
    for ridge in RIDGES:
        # Only the change is fitted, so the ridge pulls towards the weights that were there.
        ridged = gram + ridge * mean * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        change = torch.linalg.solve(ridged, moment).to(checked.inputs.dtype)
        error = checked.error(change)
        if error < least:
            best, least = change, error
    if best is not None:
        layer.weight.add_(best[:-1].T.reshape(layer.weight.shape))
        layer.bias.add_(best[-1])
