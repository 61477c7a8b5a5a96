"""New last layers for what has lost units, so that the sequence stays what it was.

After units are gone, the linear layer that ends a step is solved for again: least squares over
calibration images, towards the sequence of the unpruned model (as Kwon et al. 2022, section 4.4, do
for the mask alone). No gradient, no label.
"""

from __future__ import annotations

from collections.abc import Sequence
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
                _fit(sources[place], place, walks, now, wanted)
            now = tuple(w.steps[place](x) for w, x in zip(walks, now, strict=True))


def _fit(
    source: LinearSource,
    place: int,
    walks: Sequence[Walk],
    now: Sequence[Tensor],
    wanted: Sequence[Tensor],
) -> None:
    """Solve for the linear layer's change: what is missing, by its inputs and a constant."""
    linear = source.linear
    size = linear.in_features + 1
    doubles: Any = {"dtype": torch.float64, "device": linear.weight.device}
    gram = torch.zeros(size, size, **doubles)
    moment = torch.zeros(size, linear.out_features, **doubles)
    for walk, x, goal in zip(walks, now, wanted, strict=True):
        with Hidden(linear) as hidden:
            before, output = hidden.of(walk.steps[place], x)
        rows = before.reshape(-1, size - 1).double()
        rows = torch.cat([rows, torch.ones(len(rows), 1, **doubles)], dim=1)
        missing = source.cut(goal - output).reshape(-1, linear.out_features).double()
        if walk.counted is not None:
            of_words = walk.counted.reshape(-1)
            rows, missing = rows[of_words], missing[of_words]
        gram += rows.T @ rows
        moment += rows.T @ missing
    # Only the change is fitted, so the ridge pulls towards the weights that were there.
    gram += RIDGE * gram.diagonal().mean() * torch.eye(size, **doubles)
    change = torch.linalg.solve(gram, moment)
    linear.weight.add_(change[:-1].T.to(linear.weight.dtype))
    linear.bias.add_(change[-1].to(linear.bias.dtype))
