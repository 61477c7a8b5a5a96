"""Validation on a machine whose truth is known: blocks that add up, or models that cost more."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from vitprof.models import Spec, ViTSpec
from vitprof.profiler.sampling.exponents import PRIOR_OF_MODELS
from vitprof.profiler.sampling.protocol import Protocol
from vitprof.profiler.target import Target
from vitprof.profiler.validation.validate import ValidationResult, validate_table
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.comparison import rivals
from vitprof.tables.references import Drift, Readings, References

SPACE = ViTSlabs(
    {
        "patch_embed": {"embed": (16, 32)},
        "attention": {"embed": (16, 32), "heads": (1, 2), "qk": (8, 16), "v": (8, 16)},
        "mlp": {"embed": (16, 32), "mlp": (16, 64)},
        "classifier": {"embed": (16, 32)},
    },
    resolution=8,
    patch=4,
    in_channels=1,
    classes=10,
)
LEARNED = ("operator_model", "mlp", "random_forest")


def sample(rng: random.Random, name: str) -> ViTSpec:
    return SPACE.sample(rng, depth=(1, 4), name=name)


def truth(params: int) -> float:
    """Milliseconds of as many weights; blocks and whole models alike, so blocks add up."""
    return params / 100


@pytest.fixture
def table(row_of: Callable[..., Row], toy_setting: Setting) -> LatencyTable:
    """All blocks of the space at their true cost, with intervals of 2 %; uncalibrated."""
    rows = [row_of(block, truth(block.params)) for block in SPACE.blocks()]
    return LatencyTable(rows, toy_setting, source="toy.csv")


@pytest.fixture
def machine(
    backend: Any, run_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Return a runtime on which a whole model costs `factor` of the truth."""

    def make(factor: Callable[[int], float] = lambda params: 1.0) -> Any:
        backend.runs_of = lambda a, _: [
            run_of(truth(a["params"]) * (factor(a["params"]) if a["whole"] else 1.0))
        ]
        monkeypatch.setattr("vitprof.profiler.measure.SystemClock", lambda: backend.clock)
        return backend

    return make


@pytest.fixture
def validate(quick: Callable[..., Protocol]) -> Callable[..., ValidationResult]:
    def run(table: LatencyTable, backend: Any, **others: Any) -> ValidationResult:
        arguments = {"protocol": quick(sessions=1, model_sessions=2), "samples": 5} | others
        chosen = arguments.pop("sample", sample)
        return validate_table(table, chosen, Target(backend, table.setting), **arguments)

    return run


def with_models(table: LatencyTable, rows: Sequence[Row]) -> LatencyTable:
    return table.with_rows([*table.block_rows, *rows])


def test_a_table_that_is_right_has_no_errors(
    validate: Callable[..., ValidationResult], table: LatencyTable, machine: Callable[..., Any]
) -> None:
    backend = machine()
    result = validate(table, backend)
    assert result.models == [f"unseen-{n}" for n in range(5)]
    assert result.measured_ms == pytest.approx(result.predicted_ms, rel=1e-6)
    assert result.again_ms == result.measured_ms
    for errors in (result.errors, result.noise_floor, result.raw_errors, result.raw_noise_floor):
        assert errors.mape < 1e-6
        assert (errors.within_5, errors.within_10, errors.kendall_tau) == (1.0, 1.0, 1.0)
    assert result.coverage == 1.0
    assert list(result.rivals) == ["naive_sum"], "the others have nothing to be fitted on"
    assert len(backend.built) == 5, "what was compiled is kept for the second measurement"
    assert len(backend.opened) == 2 * 5 * 2


def test_a_table_that_is_a_fifth_low_says_so(
    validate: Callable[..., ValidationResult], table: LatencyTable, machine: Callable[..., Any]
) -> None:
    result = validate(table, machine(lambda _: 1.25))
    for errors in (result.errors, result.raw_errors, result.rivals["naive_sum"].errors):
        assert errors.mape == pytest.approx(0.2, rel=1e-4)
        assert errors.bias == pytest.approx(-0.2, rel=1e-4)
        assert errors.worst == pytest.approx(0.2, rel=1e-4)
        assert (errors.within_5, errors.within_10, errors.kendall_tau) == (0.0, 0.0, 1.0)
    assert result.coverage == 0.0
    assert result.noise_floor.mape == 0.0


def test_coverage_is_the_share_of_models_inside_their_interval(
    validate: Callable[..., ValidationResult], table: LatencyTable, machine: Callable[..., Any]
) -> None:
    rng = random.Random("validate 0")
    specs = [sample(rng, "any") for _ in range(5)]
    off = {specs[1].params, specs[4].params}
    assert len({spec.params for spec in specs}) == 5
    result = validate(table, machine(lambda params: 1.2 if params in off else 1.0))
    assert result.coverage == 3 / 5
    assert result.errors.worst == pytest.approx(1 - 1 / 1.2, rel=1e-4)
    for low, predicted, high in zip(
        result.low_ms, result.predicted_ms, result.high_ms, strict=True
    ):
        assert low < predicted < high


def test_the_noise_floor_is_how_far_the_second_measurement_differs(
    validate: Callable[..., ValidationResult], table: LatencyTable, machine: Callable[..., Any]
) -> None:
    backend = machine()
    advance = backend.clock.advance
    backend.clock.advance = lambda ms, *others: advance(
        ms * (1.25 if len(backend.opened) > 5 * 2 else 1.0), *others
    )
    result = validate(table, backend)
    assert result.errors.mape < 1e-6
    for floor in (result.noise_floor, result.raw_noise_floor):
        assert floor.mape == pytest.approx(0.2, rel=1e-4)
        assert floor.bias == pytest.approx(-0.2, rel=1e-4)
    assert result.again_ms == pytest.approx([1.25 * ms for ms in result.measured_ms], rel=1e-4)


def test_with_a_reference_both_measurements_are_at_the_tables_speed(
    validate: Callable[..., ValidationResult], table: LatencyTable, machine: Callable[..., Any]
) -> None:
    """The machine is slower than the table's, and slower again the second time."""
    reference = next(block for block in SPACE.blocks() if block.op == "attention")
    typical = truth(reference.params)
    table.header = replace(
        table.header,
        references=References(reference, reference),
        readings={reference: Readings(Drift(typical, typical, typical))},
    )
    backend = machine()
    advance = backend.clock.advance
    backend.clock.advance = lambda ms, *others: advance(
        ms * (1.5 if len(backend.opened) > 3 + 5 * 2 else 1.2), *others
    )
    result = validate(table, backend)
    # Nothing varies within a run, so models are believed to follow by the exponent of experience.
    off = 1 - PRIOR_OF_MODELS[0]
    assert result.errors.mape == pytest.approx(1 - 1.2**-off, rel=1e-3)
    assert result.noise_floor.mape == pytest.approx(1 - (1.2 / 1.5) ** off, rel=1e-3)
    assert result.raw_errors.bias == pytest.approx(1 / 1.2 - 1, rel=1e-4)
    assert result.raw_noise_floor.bias == pytest.approx(1.2 / 1.5 - 1, rel=1e-4)


def test_the_linear_rivals_are_fitted_on_the_tables_own_models(
    validate: Callable[..., ValidationResult],
    table: LatencyTable,
    machine: Callable[..., Any],
    row_of: Callable[..., Row],
    failed_row: Callable[..., Row],
) -> None:
    specs = [sample(random.Random(n), f"own-{n}") for n in range(7)]
    rows = [row_of(spec, 1.1 * truth(spec.params), context="in_model") for spec in specs[:6]]
    with_own = with_models(table, [*rows, failed_row(specs[6], context="in_model")])
    result = validate(with_own, machine(lambda _: 1.1))
    assert list(result.rivals) == ["naive_sum", "macs_line", "macs_blocks_line"]
    own_ms = np.array([row.latency_ms for row in rows])
    rng = random.Random("validate 0")
    unseen = [sample(rng, "any") for _ in range(5)]
    assert result.measured_ms == pytest.approx([1.1 * truth(s.params) for s in unseen], rel=1e-5)
    for name, fit in (
        ("macs_line", rivals.macs_line),
        ("macs_blocks_line", rivals.macs_blocks_line),
    ):
        rival = result.rivals[name]
        assert rival.trained_on == 6
        assert rival.training_s > 0
        assert rival.predicted_ms == pytest.approx(fit(specs[:6], own_ms)(unseen), rel=1e-9)
    naive = result.rivals["naive_sum"]
    assert (naive.trained_on, naive.training_s) == (0, 0.0)
    assert naive.predicted_ms == pytest.approx([truth(s.params) for s in unseen], rel=1e-9)


@pytest.mark.parametrize("own", [0, 2])
def test_with_too_few_models_of_its_own_there_is_no_line(
    own: int,
    validate: Callable[..., ValidationResult],
    table: LatencyTable,
    machine: Callable[..., Any],
    row_of: Callable[..., Row],
) -> None:
    specs = [sample(random.Random(n), f"own-{n}") for n in range(own)]
    rows = [row_of(spec, truth(spec.params), context="in_model") for spec in specs]
    assert list(validate(with_models(table, rows), machine()).rivals) == ["naive_sum"]


def test_the_learned_rivals_get_models_of_their_own(
    validate: Callable[..., ValidationResult],
    table: LatencyTable,
    machine: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained: dict[str, tuple[Sequence[Spec], np.ndarray]] = {}

    def learner(name: str) -> Callable[..., Any]:
        def fit(specs: Sequence[Spec], ms: np.ndarray) -> Any:
            trained[name] = (specs, ms)
            return lambda others: np.array([truth(spec.params) for spec in others])

        return fit

    for name in LEARNED:
        monkeypatch.setattr(rivals, name, learner(name))
    backend = machine()
    result = validate(table, backend, training_samples=4)
    assert list(result.rivals) == ["naive_sum", *LEARNED]
    for name in LEARNED:
        specs, ms = trained[name]
        assert [spec.name for spec in specs] == [f"training-{n}" for n in range(4)]
        assert ms == pytest.approx([truth(spec.params) for spec in specs], rel=1e-6)
        assert result.rivals[name].trained_on == 4
        assert result.rivals[name].errors.mape < 1e-6
        assert len({tuple(spec.blocks()) for spec in specs}) == 4
    assert len(backend.built) == 5 + 4


def test_all_rivals_can_be_fitted_on_a_few_real_models(
    validate: Callable[..., ValidationResult], table: LatencyTable, machine: Callable[..., Any]
) -> None:
    result = validate(table, machine(), training_samples=3)
    assert set(LEARNED) <= set(result.rivals)
    for rival in result.rivals.values():
        assert np.isfinite(rival.predicted_ms).all()
        assert len(rival.predicted_ms) == 5


def test_without_scikit_learn_training_is_refused_before_measuring(
    validate: Callable[..., ValidationResult],
    table: LatencyTable,
    machine: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    refused: Callable[..., Any],
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    backend = machine()
    with refused("scikit-learn", "vitprof[validate]", "`train`"):
        validate(table, backend, training_samples=3)
    assert backend.built == []
    assert validate(table, backend).errors.mape < 1e-6


# --- which models ---------------------------------------------------------------------------------


def test_no_unseen_model_is_one_of_the_tables_or_another_again(
    validate: Callable[..., ValidationResult],
    table: LatencyTable,
    machine: Callable[..., Any],
    row_of: Callable[..., Row],
) -> None:
    """By what they are: a name makes no other model."""
    specs = [sample(random.Random(n), f"own-{n}") for n in range(12)]
    own, free = specs[:4], specs[4:]
    rows = [row_of(spec, truth(spec.params), context="in_model") for spec in own]
    supply = iter([own[0], free[0], own[1], free[0], *own, free[1], free[1], free[2], *free[2:6]])

    def from_supply(rng: random.Random, name: str) -> ViTSpec:
        spec = next(supply)
        return ViTSpec.from_json(spec.to_json().replace(f'"{spec.name}"', f'"{name}"'))

    backend = machine()
    result = validate(
        with_models(table, rows), backend, sample=from_supply, samples=3, training_samples=3
    )
    assert result.models == ["unseen-0", "unseen-1", "unseen-2"]
    assert result.measured_ms == pytest.approx([truth(s.params) for s in free[:3]], rel=1e-6)
    built = [a["params"] for a in backend.built]
    assert set(built[:3]) == {spec.params for spec in free[:3]}
    assert set(built[3:]) == {spec.params for spec in free[3:6]}


def test_the_same_seed_validates_the_same_models(
    validate: Callable[..., ValidationResult], table: LatencyTable, machine: Callable[..., Any]
) -> None:
    def seen(seed: int) -> Sequence[float]:
        return validate(table, machine(), seed=seed, samples=3).predicted_ms

    assert seen(1) == seen(1)
    assert seen(1) != seen(2)


def test_a_range_too_small_for_so_many_models_is_refused_before_measuring(
    validate: Callable[..., ValidationResult],
    table: LatencyTable,
    machine: Callable[..., Any],
    refused: Callable[..., Any],
) -> None:
    backend = machine()
    only = sample(random.Random(0), "only")
    with refused("fewer than 3 different models"):
        validate(table, backend, sample=lambda rng, name: only, samples=3)
    assert backend.built == []


def test_a_model_outside_the_table_is_refused_before_measuring(
    validate: Callable[..., ValidationResult],
    table: LatencyTable,
    machine: Callable[..., Any],
    refused: Callable[..., Any],
) -> None:
    backend = machine()
    specs = iter([sample(random.Random(0), "in"), sample(random.Random(1), "in too")])

    def last_is_wide(rng: random.Random, name: str) -> ViTSpec:
        wide = ViTSpec.uniform(
            32, 2, 2, 96, qk=8, v=8, resolution=8, patch=4, in_channels=1, classes=10, name=name
        )
        return next(specs, wide)

    with refused("mlp=96", "from 16 to 64"):
        validate(table, backend, sample=last_is_wide, samples=3)
    assert backend.built == []


def test_a_model_that_cannot_be_run_is_one_sentence(
    validate: Callable[..., ValidationResult],
    table: LatencyTable,
    machine: Callable[..., Any],
    refused: Callable[..., Any],
) -> None:
    backend = machine()
    backend.build_fault = lambda _: "no kernel"
    with refused("model unseen-0", "cannot be run here", "no kernel"):
        validate(table, backend)
