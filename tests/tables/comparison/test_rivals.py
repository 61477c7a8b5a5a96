"""Each rival finds a law of its own form again, and the learned ones a simple law of any form."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from vitprof.models import Spec, ViTLayer, ViTSpec
from vitprof.tables.comparison import rivals
from vitprof.tables.comparison.errors_of_prediction import PredictionErrors
from vitprof.tables.comparison.rivals import Predictor

pytestmark = pytest.mark.slow

Fit = Callable[[Sequence[Spec], np.ndarray], Predictor]


def random_vit(rng: random.Random) -> ViTSpec:
    layers = tuple(
        ViTLayer(
            rng.randint(1, 6), 8 * rng.randint(1, 4), 8 * rng.randint(1, 4), 16 * rng.randint(2, 24)
        )
        for _ in range(rng.randint(2, 12))
    )
    return ViTSpec(embed=16 * rng.randint(2, 12), layers=layers, resolution=32, patch=4, classes=10)


def vits(count: int, seed: int) -> list[ViTSpec]:
    rng = random.Random(seed)
    return [random_vit(rng) for _ in range(count)]


TRAIN, UNSEEN = vits(80, 0), vits(30, 1)


def milliseconds(law: Callable[[ViTSpec], float], specs: Sequence[ViTSpec]) -> np.ndarray:
    return np.array([law(spec) for spec in specs])


def by_macs(spec: ViTSpec) -> float:
    return 40 * spec.macs / 1e9 + 0.3


def by_macs_and_blocks(spec: ViTSpec) -> float:
    return by_macs(spec) + 0.05 * len(spec.blocks())


def by_operators(spec: ViTSpec) -> float:
    """Eq. 6: every op has a price a MAC, a price a piece, and a price of some of its dims."""
    total = 0.0
    for block in spec.blocks():
        per_mac, each = {"attention": (3e-8, 0.04), "mlp": (2e-8, 0.02)}.get(block.op, (1e-8, 0.1))
        total += per_mac * block.macs + each
        total += 1e-3 * block["heads"] if block.op == "attention" else 0.0
        total += 1e-4 * block["mlp"] if block.op == "mlp" else 0.0
    return total


@pytest.mark.parametrize(
    ("fit", "law", "rel"),
    [
        (rivals.macs_line, by_macs, 1e-9),
        (rivals.macs_blocks_line, by_macs, 1e-9),
        (rivals.macs_blocks_line, by_macs_and_blocks, 1e-9),
        (rivals.operator_model, by_operators, 1e-6),
    ],
)
def test_a_law_of_its_own_form_is_found_again(
    fit: Fit, law: Callable[[ViTSpec], float], rel: float
) -> None:
    predict = fit(TRAIN, milliseconds(law, TRAIN))
    np.testing.assert_allclose(predict(UNSEEN), milliseconds(law, UNSEEN), rtol=rel)


def test_a_line_through_macs_alone_misses_what_blocks_cost() -> None:
    ms = milliseconds(by_macs_and_blocks, TRAIN)
    truth = milliseconds(by_macs_and_blocks, UNSEEN)
    macs = PredictionErrors.of(rivals.macs_line(TRAIN, ms)(UNSEEN), truth)
    both = PredictionErrors.of(rivals.macs_blocks_line(TRAIN, ms)(UNSEEN), truth)
    assert both.mape < 1e-9
    assert macs.mape > 0.01


def test_the_line_minimises_relative_errors() -> None:
    """Of two kinds of models, the slow one does not decide alone."""
    features = np.ones((4, 1))
    ms = np.array([1.0, 1.0, 100.0, 100.0])
    (constant,) = rivals.fit_line(features, ms)
    others = np.linspace(0.5, 100, 2000)
    losses = [np.sum((c / ms - 1) ** 2) for c in others]
    assert constant == pytest.approx(others[int(np.argmin(losses))], abs=0.05)
    assert constant < 2


def test_no_operator_and_no_dim_has_a_price_below_0() -> None:
    """Latencies that fall with everything: the best prices of the right sign are nearly nothing."""
    falling = milliseconds(lambda spec: 50 / (1 + spec.macs / 1e8), TRAIN)
    predict = rivals.operator_model(TRAIN, falling)
    for spec in UNSEEN:
        more = replace(spec, layers=(*spec.layers, spec.layers[0]))
        wider = replace(spec, layers=tuple(replace(x, mlp=x.mlp + 64) for x in spec.layers))
        at_first, longer, broader = predict([spec, more, wider])
        assert 0 <= at_first <= longer + 1e-9
        assert at_first <= broader + 1e-9


def test_an_op_it_never_saw_costs_the_operator_model_nothing() -> None:
    headless = [replace(s, layers=tuple(replace(x, heads=0) for x in s.layers)) for s in TRAIN]
    predict = rivals.operator_model(headless, milliseconds(by_operators, headless))
    plain = replace(UNSEEN[0], layers=tuple(replace(x, heads=0) for x in UNSEEN[0].layers))
    assert predict([UNSEEN[0]])[0] == pytest.approx(predict([plain])[0])


@pytest.mark.parametrize("fit", [rivals.mlp, rivals.random_forest], ids=["mlp", "forest"])
def test_a_learned_rival_beats_the_mean_on_a_simple_law(fit: Fit) -> None:
    ms = milliseconds(by_operators, TRAIN)
    truth = milliseconds(by_operators, UNSEEN)
    learned = PredictionErrors.of(fit(TRAIN, ms)(UNSEEN), truth)
    mean = PredictionErrors.of(np.full(len(UNSEEN), np.exp(np.log(ms).mean())), truth)
    assert learned.mape < 0.5 * mean.mape
    assert learned.kendall_tau > 0.7


@pytest.mark.parametrize("fit", [rivals.mlp, rivals.random_forest], ids=["mlp", "forest"])
def test_a_learned_rival_is_repeatable_and_says_the_constant_of_a_constant(fit: Fit) -> None:
    ms = milliseconds(by_operators, TRAIN[:12])
    first, second = (fit(TRAIN[:12], ms)(UNSEEN) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (first > 0).all()
    same = fit(TRAIN[:6], np.full(6, 7.0))(UNSEEN)
    np.testing.assert_allclose(same, 7.0, rtol=1e-6)


def test_the_mlp_has_three_hidden_layers_of_400(monkeypatch: pytest.MonkeyPatch) -> None:
    """HAT's; scikit-learn once changed the order of its arguments."""
    import sklearn.neural_network

    made = []
    original = sklearn.neural_network.MLPRegressor

    def remember(*arguments: object, **named: object) -> object:
        made.append(original(*arguments, **named))
        return made[-1]

    monkeypatch.setattr(sklearn.neural_network, "MLPRegressor", remember)
    rivals.mlp(TRAIN[:6], milliseconds(by_operators, TRAIN[:6]))
    assert made[0].hidden_layer_sizes == (400, 400, 400)


def test_a_rival_fitted_on_plain_vits_says_nothing_of_others(
    refused: Callable[..., object],
) -> None:
    forest = rivals.random_forest(vits(2, seed=0), np.array([1.0, 2.0]))
    with refused("mine", "not a plain ViT"):
        forest([SimpleNamespace(name="mine")])  # type: ignore[list-item]
