"""Scores of units that go together, against models whose units are gone and layers fitted."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from vitprof.compress.optin.joint_scores import joint_scores
from vitprof.compress.optin.trajectory import logit_errors
from vitprof.compress.optin.walk import LinearSource, walk_of
from vitprof.errors import UserError

from ..conftest import DISTILLED, SWIN, VGG, VIT, randomised

SPECS = pytest.mark.parametrize("spec", [VIT, DISTILLED, SWIN], ids=lambda spec: spec.name)


def images(spec, count: int, seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(count, spec.in_channels, spec.resolution, spec.resolution, generator=draw)


def scored(model: nn.Module, spec, **changed) -> dict[str, Tensor]:
    given = {"fitted_to": images(spec, 40, 1), "judged_on": images(spec, 6, 2), "floors": {}}
    return joint_scores(walk_of(model), temperature=1.0, **{**given, **changed})


@SPECS
def test_scores_add_up_to_what_the_logits_lose(spec) -> None:
    """Of each structure all units but one, gone, and the rest fitted by plain least squares."""
    model = randomised(spec).eval()
    found = scored(model, spec)
    fit_on, judged_on = images(spec, 40, 1), images(spec, 6, 2)
    walk = walk_of(model)
    assert set(found) == {source.structure.name for source in walk.sources}
    for source in walk.sources:
        assert isinstance(source, LinearSource)
        scores = found[source.structure.name]
        staying = int(scores.argmax())
        changed = copy.deepcopy(model)
        _fit_alone(changed, walk_of(changed), source, staying, fit_on)
        with torch.no_grad():
            lost = logit_errors(model(judged_on), changed(judged_on)[None], 1.0)[0]
        total = float(scores.sum() - scores.max())
        assert total == pytest.approx(float(lost), rel=0.02, abs=1e-4)


def _fit_alone(model: nn.Module, walk, source: LinearSource, staying: int, fit_on: Tensor) -> None:
    """Fit the last layer of a step to its own outputs, from the inputs of one unit and a bias."""
    (own,) = [s for s in walk.sources if s.structure.name == source.structure.name]
    linear = own.linear
    seen: list[Tensor] = []
    handle = linear.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(fit_on)
    handle.remove()
    rows = seen[0].reshape(-1, linear.in_features).double()
    rows = torch.cat([rows, torch.ones(len(rows), 1, dtype=torch.float64)], dim=1)
    before = torch.cat([linear.weight.T, linear.bias[None]]).double().detach()
    kept = [*source.columns[staying].tolist(), linear.in_features]
    # The ridge of `reconstruct`, written as more rows.
    gram = rows.T @ rows
    ridge = (1e-3 * gram.diagonal().mean()).sqrt() * torch.eye(len(gram), dtype=torch.float64)
    rows = torch.cat([rows, ridge])
    solution = torch.linalg.lstsq(rows[:, kept], rows @ before).solution
    fitted = torch.zeros_like(before)
    fitted[kept] = solution
    with torch.no_grad():
        linear.weight.copy_(fitted[:-1].T)
        linear.bias.copy_(fitted[-1])


@SPECS
def test_the_model_is_as_it_was(spec) -> None:
    model = randomised(spec).eval()
    before = copy.deepcopy(model.state_dict())
    scored(model, spec)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_of_two_equal_neurons_one_is_worth_nothing() -> None:
    model = randomised(VIT).eval()
    mlp = walk_of(model).sources[1]
    assert isinstance(mlp, LinearSource)
    assert mlp.structure.kind == "mlp"
    first = model.get_submodule(mlp.structure.parts[0].weight.rpartition(".")[0])
    with torch.no_grad():
        first.weight[7] = first.weight[3]
        first.bias[7] = first.bias[3]
    scores = scored(model, VIT)[mlp.structure.name]
    assert int(scores.argsort(stable=True)[0]) in (3, 7)


def test_scores_differ_so_that_their_order_is_that_of_the_elimination() -> None:
    for scores in scored(randomised(VIT).eval(), VIT).values():
        assert len(scores.unique()) == len(scores)
        assert (scores >= 0).all()


def test_floors_stay_and_known_structures_are_not_looked_at_again() -> None:
    model = randomised(VIT).eval()
    whole = scored(model, VIT)
    known = {name: torch.full_like(scores, 5.0) for name, scores in list(whole.items())[:2]}
    told: list[tuple[int, int]] = []
    again = scored(
        model, VIT, known=known, floors={}, on_units=lambda n, of, _: told.append((n, of))
    )
    for name, scores in whole.items():
        torch.testing.assert_close(again[name], known.get(name, scores))
    total = sum(len(scores) for scores in whole.values())
    assert told[-1] == (total, total)
    floored = scored(model, VIT, floors={"layers.0.mlp": 40})["layers.0.mlp"]
    assert int((floored == floored.max()).sum()) == 40


def test_convolutions_are_refused() -> None:
    with pytest.raises(UserError, match="linear layer"):
        scored(randomised(VGG).eval(), VGG)
