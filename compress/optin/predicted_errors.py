"""What all hidden neurons' errors come to at once, predicted from a few gradients.

Without a neuron the model's features change little, so that L_MD and L_KD are squares of linear
functions of that change: L(δ) = ‖Jδ‖². For a random v with E vvᵀ = 1 the mean of ⟨v, Jδ⟩² is L(δ),
and ⟨v, Jδ⟩ = ⟨Jᵀv, δ⟩ = -Σ over tokens of h · ∂⟨v, features⟩/∂h, where h is what the neuron puts
out. One backward pass tells that of all neurons of all layers, where eq. 3 runs what follows each
neuron. What an image's features change by comes from its own tokens alone, so that every image is a
draw of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...models.modules.words import Words
from .trajectory import Trajectory, drawn_logit_change
from .trajectory_score import later_steps
from .walk import LinearSource, Walk

# Random functions an image.
DRAWS = 16
# They are drawn in so many shares, each by a generator of its own: shares can be computed apart,
# and come to the same wherever they are.
SHARES = 8
# Images go through together as long as about so many numbers are kept for the backward pass.
MOST_KEPT = 100_000_000
# What a step keeps of them, in sequences: the norm's output, the hidden layer's, its activation...
KEPT_A_STEP = 10


def predicted_errors(
    walk: Walk,
    images: Tensor | Words,
    trajectory: Trajectory,
    draws: int = DRAWS,
    on_share: Callable[[float], None] | None = None,
) -> dict[str, Tensor]:
    """Return both errors of every neuron, 2 x units a structure, as `trajectory_errors` does.

    The walk's sources have to be hidden neurons. Each error is a mean of draws x images squares, so
    that its standard error is at least the square root of 2 / (draws x images), as a share.
    on_share: called with the share of the work that is done.
    """
    return added_up(shares_of_errors(walk, images, trajectory, draws, range(SHARES), on_share))


def added_up(shares: Mapping[int, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the errors from what each of the shares adds to them, in the order of shares."""
    first, *others = (shares[share] for share in sorted(shares))
    return {name: sum((other[name] for other in others), errors) for name, errors in first.items()}


def shares_of_errors(
    walk: Walk,
    images: Tensor | Words,
    trajectory: Trajectory,
    draws: int,
    shares: Sequence[int],
    on_share: Callable[[float], None] | None = None,
) -> dict[int, dict[str, Tensor]]:
    """Return what some of the SHARES add to the errors of `predicted_errors`, by the share."""
    sources: Sequence[Any] = walk.sources
    whole, first = walk.on(images)
    with torch.no_grad():
        inputs = whole.inputs(first)
        later = {source.step: later_steps(whole, source, trajectory) for source in sources}
        compared = {step for steps in later.values() for step in steps}
        measures: dict[int, Any] = {step: whole.measure(inputs[step]) for step in compared}
    answers = inputs[-1].shape[:-1].numel()
    kept = KEPT_A_STEP * sum(x[0].numel() for x in inputs[1:])
    del inputs
    found = {
        share: {source.structure.name: torch.zeros(2, source.structure.units) for source in sources}
        for share in shares
    }
    drawn_by = {share: torch.Generator(first.device).manual_seed(share) for share in shares}
    turns = [share for n in range(draws) if (share := n % SHARES) in found]
    done = 0
    for part in images.split(max(MOST_KEPT // kept, 1)):
        chain, x = walk.on(part)
        run = _KeptRun(chain, x, sources)
        for share in turns:
            draw, errors = drawn_by[share], found[share]
            for these in _sharing(sources, later):
                steps = {step for source in these for step in later[source.step]}
                change = run.sum(
                    measures[step].drawn_change(run.inputs[step], chain.counted, draw)
                    for step in sorted(steps)
                )
                for source, squares in zip(these, run.squares(change, these), strict=True):
                    count = len(later[source.step]) if trajectory.aggregation == "mean" else 1
                    errors[source.structure.name][0] += squares / (draws * max(count, 1))
            if trajectory.weight:
                change = drawn_logit_change(run.inputs[-1], answers, trajectory.temperature, draw)
                for source, squares in zip(sources, run.squares(change, sources), strict=True):
                    errors[source.structure.name][1] += squares / draws
            done += len(part)
            if on_share is not None:
                on_share(done / (len(turns) * len(images)))
    return found


class _KeptRun:
    """A run of the unpruned model on some images that gradients can be taken of, many times."""

    def __init__(self, walk: Walk, x: Tensor, sources: Sequence[LinearSource]) -> None:
        self.images = len(x)
        self._hidden: dict[str, Tensor] = {}
        handles = [self._keep(source) for source in sources]
        try:
            with torch.no_grad():
                stem = walk.steps[0](x)
            self.inputs = [x, stem.detach().requires_grad_()]
            with torch.enable_grad():
                for step in walk.steps[1:]:
                    self.inputs.append(step(self.inputs[-1]))
        finally:
            for handle in handles:
                handle.remove()

    def _keep(self, source: LinearSource) -> Any:
        def keep(_module: nn.Module, given: tuple[Tensor, ...]) -> None:
            self._hidden[source.structure.name] = given[0]

        return source.linear.register_forward_pre_hook(keep)

    def sum(self, changes: Iterable[Tensor]) -> Tensor:
        """Return the sum of numbers, zero where there are none."""
        return sum(changes, self.inputs[1].new_zeros(()))

    def squares(self, change: Tensor, sources: Sequence[LinearSource]) -> list[Tensor]:
        """Return for each source its units' ⟨v, Jδ⟩², of every image, added up.

        change: the sum over images of a random linear function of what comes after.
        """
        if not change.requires_grad:
            return [torch.zeros(source.structure.units) for source in sources]
        hidden = [self._hidden[source.structure.name] for source in sources]
        gradients = torch.autograd.grad(change, hidden, retain_graph=True, materialize_grads=True)
        found = []
        for source, h, gradient in zip(sources, hidden, gradients, strict=True):
            of_images = (h.detach() * gradient).reshape(self.images, -1, h.shape[-1]).sum(dim=1)
            found.append(of_images[:, source.columns].sum(dim=-1).square().sum(dim=0).cpu())
        return found


def _sharing(
    sources: Sequence[LinearSource], later: Mapping[int, Sequence[int]]
) -> list[list[LinearSource]]:
    """Return the sources in groups for which one sum over steps serves.

    What lies before a source has no gradient there; so those whose last step is the same.
    """
    groups: dict[int, list[LinearSource]] = {}
    for source in sources:
        groups.setdefault(max(later[source.step], default=0), []).append(source)
    return list(groups.values())
