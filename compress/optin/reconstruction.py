"""New last layers for what has lost units, so that the sequence stays what it was.

After units are gone, the linear layer that ends a step is solved for again: least squares over
calibration images, towards the sequence of the unpruned model (as Kwon et al. 2022, section 4.4, do
for the mask alone). No gradient, no label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...models.modules.words import Words
from .walk import Hidden, LinearSource, Walk, walk_of

# The share of the inputs' mean square that is added to every one's, so that few images do.
RIDGE = 1e-3


def reconstruct(
    model: nn.Module, full: nn.Module, images: Tensor | Words, batch: int = 128
) -> None:
    """Fit, in place, every step's last linear layer so that the sequence is as in `full`.

    model: `full` without some heads and neurons; images: n x channels x h x w, or sequences of
    words, of which those that fill up are not fitted to. Step after step, so that each makes up for
    what those before it got wrong.
    """
    walk, whole = walk_of(model), walk_of(full)
    sources = {source.step: source for source in walk.sources if isinstance(source, LinearSource)}
    with torch.no_grad():
        walks, now = zip(*(walk.on(part) for part in images.split(batch)), strict=True)
        wholes, wanted = zip(*(whole.on(part) for part in images.split(batch)), strict=True)
        for place in range(len(walk.steps)):
            wanted = tuple(w.steps[place](x) for w, x in zip(wholes, wanted, strict=True))
            if place in sources:
                _fit(sources[place], walks, now, wanted)
            now = tuple(w.steps[place](x) for w, x in zip(walks, now, strict=True))


@dataclass(frozen=True)
class LeastSquares:
    """What a linear layer is fitted by, over all rows: gram is XᵀX, moment Xᵀ(what is missing).

    X: what goes into the layer, and a constant; (inputs + 1) x (inputs + 1), and x outputs, in
    doubles. Without a goal nothing is missing, and the moment is zero.
    """

    gram: Tensor
    moment: Tensor

    @classmethod
    def of(
        cls,
        source: LinearSource,
        walks: Sequence[Walk],
        now: Sequence[Tensor],
        wanted: Sequence[Tensor] | None = None,
    ) -> LeastSquares:
        """Add up over batches: `now` goes into the step, and `wanted` should come out of it."""
        linear = source.linear
        size = linear.in_features + 1
        doubles: Any = {"dtype": torch.float64, "device": linear.weight.device}
        gram = torch.zeros(size, size, **doubles)
        moment = torch.zeros(size, linear.out_features, **doubles)
        goals: Sequence[Tensor | None] = [None] * len(now) if wanted is None else wanted
        for walk, x, goal in zip(walks, now, goals, strict=True):
            with Hidden(linear) as hidden:
                before, output = hidden.of(walk.steps[source.step], x)
            rows = before.reshape(-1, size - 1).double()
            rows = torch.cat([rows, torch.ones(len(rows), 1, **doubles)], dim=1)
            counted = None if walk.counted is None else walk.counted.reshape(-1)
            if goal is not None:
                missing = source.cut(goal - output).reshape(-1, linear.out_features).double()
                of_words = slice(None) if counted is None else counted
                moment += rows[of_words].T @ missing[of_words]
            rows = rows if counted is None else rows[counted]
            gram += rows.T @ rows
        return cls(gram, moment)


def ridge(gram: Tensor) -> Tensor:
    """Return what is added to the gram matrix."""
    return (
        RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    )


def _fit(
    source: LinearSource, walks: Sequence[Walk], now: Sequence[Tensor], wanted: Sequence[Tensor]
) -> None:
    """Solve for the linear layer's change: what is missing, by its inputs and a constant."""
    linear = source.linear
    found = LeastSquares.of(source, walks, now, wanted)
    # Only the change is fitted, so the ridge pulls towards the weights that were there.
    change = torch.linalg.solve(found.gram + ridge(found.gram), found.moment)
    linear.weight.add_(change[:-1].T.to(linear.weight.dtype))
    linear.bias.add_(change[-1].to(linear.bias.dtype))
