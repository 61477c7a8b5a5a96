"""Heads scored in full, neurons predicted, and the stated error of the prediction."""

from __future__ import annotations

import torch
from vitprof.compress.optin.fast_errors import CHECKED, fast_errors, in_words, prediction_errors
from vitprof.compress.optin.predicted_errors import predicted_errors
from vitprof.compress.optin.trajectory import Trajectory
from vitprof.compress.optin.trajectory_score import Scoring, trajectory_errors
from vitprof.compress.optin.walk import walk_of

from ..conftest import VGG, VIT, randomised

IMAGES = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(5))


def test_heads_are_as_they_were_and_neurons_predicted() -> None:
    model = randomised(VIT).eval()
    done = []
    found = fast_errors(
        walk_of(model), IMAGES, Scoring(), lambda n, of, _errors: done.append((n, of))
    )
    full = trajectory_errors(walk_of(model), IMAGES, Scoring())
    predicted = predicted_errors(walk_of(model, ("mlp",)), IMAGES, Trajectory())
    assert list(found) == list(full)
    for name, errors in found.items():
        expected = predicted[name] if name.endswith("mlp") else full[name]
        torch.testing.assert_close(errors, expected)
    assert done == sorted(done)
    assert done[-1] == (3 * (4 + 64), 3 * (4 + 64))


def test_what_is_known_is_not_made_again(monkeypatch) -> None:
    walk = walk_of(randomised(VIT).eval())
    whole = fast_errors(walk, IMAGES, Scoring())

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr("vitprof.compress.optin.fast_errors.predicted_errors", fail)
    assert fast_errors(walk, IMAGES, Scoring(), known=whole) == whole


def test_channels_are_looked_at_one_by_one() -> None:
    walk = walk_of(randomised(VGG).eval())
    found, full = fast_errors(walk, IMAGES, Scoring()), trajectory_errors(walk, IMAGES, Scoring())
    for name, errors in full.items():
        torch.testing.assert_close(found[name], errors)
    assert not len(prediction_errors(walk, IMAGES, Scoring(), found))


def test_how_far_predictions_are_off() -> None:
    walk = walk_of(randomised(VIT).eval())
    full = trajectory_errors(walk, IMAGES, Scoring())
    assert prediction_errors(walk, IMAGES, Scoring(), full).tolist() == [0.0] * CHECKED
    # A third more of everything is a third more of every score.
    more = {name: errors * 4 / 3 for name, errors in full.items()}
    off = prediction_errors(walk, IMAGES, Scoring(), more)
    torch.testing.assert_close(off, torch.full((CHECKED,), 1 / 3))


def test_it_is_said_in_words() -> None:
    assert in_words(torch.zeros(0)) == ""
    said = in_words(torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5]))
    assert "of 5 that were scored in full too" in said
    assert "half are within 30% and nine of ten within 46%" in said
    assert "`scoring` full" in in_words(torch.tensor([0.6]))
