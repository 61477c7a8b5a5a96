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
from vitprof.profiler.sampling.protocol import Protocol
from vitprof.profiler.sampling.statistics import median_variance_factor
from vitprof.profiler.target import Target
from vitprof.profiler.validation.result import ValidationResult
from vitprof.profiler.validation.validate import validate_table
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
def machine(backend: Any, run_of: Callable[..., Any]) -> Callable[..., Any]:
    """Return a runtime on which a whole model costs `factor` of the truth."""

    def make(factor: Callable[[int], float] = lambda params: 1.0) -> Any:
        backend.runs_of = lambda a, _: [
            run_of(truth(a["params"]) * (factor(a["params"]) if a["whole"] else 1.0))
        ]
        return backend

    return make


@pytest.fixture
def validate(quick: Callable[..., Protocol]) -> Callable[..., ValidationResult]:
    def run(table: LatencyTable, backend: Any, **others: Any) -> ValidationResult:
        defaults = {"protocol": quick(), "samples": 5, "clock": backend.clock}
        arguments = defaults | others
        chosen = arguments.pop("sample", sample)
        return validate_table(table, chosen, Target(backend, table.setting), **arguments)

    return run


def truths(result: ValidationResult) -> list[float]:
    rng = random.Random("validate 0")
    return [truth(sample(rng, name).params) for name in result.models]


def with_models(table: LatencyTable, rows: Sequence[Row]) -> LatencyTable:
    return table.with_rows([*table.block_rows, *rows])


def test_a_table_that_is_right_has_no_errors(
    validate: Callable[..., ValidationResult], table: LatencyTable, machine: Callable[..., Any]
) -> None:
    backend = machine()
    result = validate(table, backend)
    assert result.models == [f"unseen-{n}" for n in range(5)]
    assert result.measured_ms == pytest.approx(result.predicted_ms, rel=1e-6)
    assert result.first_ms == result.again_ms == result.measured_ms
    for errors in (result.errors, result.noise_floor, result.raw_errors, result.raw_noise_floor):
        assert errors.mape < 1e-6
        assert (errors.within_5, errors.within_10, errors.kendall_tau) == (1.0, 1.0, 1.0)
    assert result.coverage == 1.0
    assert list(result.rivals) == ["naive_sum"], "the others have nothing to be fitted on"
    assert len(backend.built) == 5, "what was compiled is kept for the second measurement"
    assert (result.rounds, result.stopped) == (2, "settled")
    assert len(backend.opened) == 2 * 5


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
        ms * (1.25 if len(backend.opened) > 5 else 1.0), *others
    )
    result = validate(table, backend, rounds=2)
    assert result.first_ms == pytest.approx(result.predicted_ms, rel=1e-4)
    assert result.again_ms == pytest.approx([1.25 * ms for ms in result.first_ms], rel=1e-4)
    assert result.measured_ms == pytest.approx([1.125 * ms for ms in result.first_ms], rel=1e-4)
    # Of one session each; two measurements of two sessions would differ less.
    share = median_variance_factor(2) ** 0.5
    for floor in (result.noise_floor, result.raw_noise_floor):
        assert floor.mape == pytest.approx(1 - 1.25**-share, rel=1e-4)
        assert floor.bias == pytest.approx(1.25**-share - 1, rel=1e-4)


def test_with_a_reference_both_measurements_are_at_the_tables_speed(
    validate: Callable[..., ValidationResult],
    table: LatencyTable,
    machine: Callable[..., Any],
    row_of: Callable[..., Row],
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
        ms * (1.5 if len(backend.opened) > 2 * 3 + 5 else 1.2), *others
    )
    own = (sample(random.Random(7), "own"), sample(random.Random(8), "own too"))
    rows = [
        row_of(
            spec,
            truth(spec.params),
            context="in_model",
            reference=reference,
            reference_ms=(typical,) * 3,
            exponent=exponent,
        )
        for spec, exponent in zip(own, (0.8, 0.9), strict=True)
    ]
    result = validate(with_models(table, rows), backend, rounds=2)
    # One session shows no slope, so models are believed to follow as those of the table did.
    off = 1 - 0.85
    assert result.first_ms == pytest.approx([1.2**off * ms for ms in truths(result)], rel=1e-3)
    assert result.again_ms == pytest.approx([1.5**off * ms for ms in truths(result)], rel=1e-3)
    # Two sessions of one model do: it is 1 here.
    for measured, ms in zip(result.measured_ms, truths(result), strict=True):
        assert ms * (1 - 1e-6) < measured < 1.2**off * ms
    assert result.raw_errors.bias == pytest.approx(1 / 1.35 - 1, rel=1e-4)


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


# --- rounds ---------------------------------------------------------------------------------------


@pytest.fixture
def moody(machine: Callable[..., Any], run_of: Callable[..., Any]) -> Any:
    """A runtime whose sessions of one model differ by several per cent."""
    backend = machine()
    backend.runs_of = lambda a, rng: [run_of(truth(a["params"]) * rng.uniform(0.9, 1.1))]
    return backend


def test_two_rounds_are_an_answer(
    validate: Callable[..., ValidationResult], table: LatencyTable, moody: Any
) -> None:
    result = validate(table, moody, samples=12, rounds=2)
    assert (result.rounds, result.stopped, result.asked) == (2, "rounds", 12)
    assert len(moody.opened) == 2 * 12
    first, again = np.array(result.first_ms), np.array(result.again_ms)
    assert (np.abs(first / again - 1) > 1e-3).all()
    assert result.measured_ms == pytest.approx((first + again) / 2)
    off = np.abs(np.array(result.predicted_ms) / np.array(result.measured_ms) - 1)
    assert result.errors.mape == pytest.approx(off.mean())
    rng = np.random.default_rng(0)
    means = [off[rng.integers(12, size=12)].mean() for _ in range(4000)]
    assert result.interval == pytest.approx(np.percentile(means, [2.5, 97.5]), rel=0.1)
    report = result.report()
    assert report["interval"] == list(result.interval)
    assert (report["rounds"], report["asked"], report["samples"]) == (2, 12, 12)
    assert report["seconds"] == pytest.approx(moody.clock.wall() / 1e9 - 5, abs=0.06)


def test_further_rounds_come_while_noise_is_a_part_of_the_error(
    validate: Callable[..., ValidationResult], table: LatencyTable, moody: Any
) -> None:
    """They bring it down: the table is right here."""
    two = validate(table, moody, samples=24, rounds=2)
    moody.rng = random.Random(4)  # the same luck again
    more = validate(table, moody, samples=24, rounds=12)
    assert more.stopped == "settled"
    assert 2 < more.rounds < 12
    assert len(moody.opened) == 24 * (2 + more.rounds)
    assert more.errors.mape < two.errors.mape
    assert np.diff(more.interval) < np.diff(two.interval)


def test_an_error_beside_which_the_noise_is_small_is_settled_after_two_rounds(
    validate: Callable[..., ValidationResult],
    table: LatencyTable,
    machine: Callable[..., Any],
    run_of: Callable[..., Any],
) -> None:
    backend = machine()
    backend.runs_of = lambda a, rng: [
        run_of(truth(a["params"]) * (1.1 + a["params"] % 7 / 70) * rng.uniform(0.998, 1.002))
    ]
    result = validate(table, backend, samples=12, rounds=8)
    assert (result.rounds, result.stopped) == (2, "settled")


def test_no_further_round_begins_when_the_time_is_over(
    validate: Callable[..., ValidationResult], table: LatencyTable, moody: Any
) -> None:
    seconds = validate(table, moody, samples=12, rounds=2).seconds
    result = validate(table, moody, samples=12, rounds=12, time_s=1.6 * seconds)
    assert result.stopped == "time"
    assert result.rounds == 3
    assert result.seconds < 1.65 * seconds
    assert len(result.models) == 12


def test_a_time_too_short_for_two_rounds_measures_fewer_models(
    validate: Callable[..., ValidationResult],
    table: LatencyTable,
    moody: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    seconds = validate(table, moody, samples=24, rounds=2).seconds
    caplog.clear()
    result = validate(table, moody, samples=24, time_s=0.6 * seconds)
    chosen = len(result.models)
    assert 9 <= chosen < 24
    assert result.rounds >= 2
    assert result.asked == 24
    assert f"{chosen} of 24 models" in caplog.text
    rng = random.Random("validate 0")
    macs = {f"unseen-{n}": sample(rng, f"unseen-{n}").macs for n in range(24)}
    low, high = np.percentile(list(macs.values()), [25, 75])
    assert sum(macs[name] <= low for name in result.models) >= 2
    assert sum(macs[name] >= high for name in result.models) >= 2


def test_without_any_time_three_models_are_measured_twice(
    validate: Callable[..., ValidationResult], table: LatencyTable, moody: Any
) -> None:
    result = validate(table, moody, samples=24, time_s=1e-9)
    assert len(result.models) == 3
    assert len(moody.opened) == 2 * 3


def test_models_for_the_learned_rivals_are_cut_with_the_others(
    validate: Callable[..., ValidationResult], table: LatencyTable, moody: Any
) -> None:
    result = validate(table, moody, samples=12, training_samples=12, time_s=1e-9)
    assert 3 <= len(result.models) < 12
    assert 3 <= result.rivals["mlp"].trained_on < 12
    assert 0 < result.rivals["mlp"].training_s < result.seconds


def test_progress_is_seconds_and_ends_when_the_work_does(
    validate: Callable[..., ValidationResult], table: LatencyTable, moody: Any
) -> None:
    told: list[tuple[str, int, int, str]] = []
    validate(table, moody, samples=12, rounds=4, on_progress=lambda *said: told.append(said))
    stages, done, totals, details = zip(*told, strict=True)
    assert set(stages) == {"validating"}
    assert len(set(totals)) == 1
    assert list(done) == sorted(done)
    assert done[-1] == totals[-1] > max(done[:-1])
    assert details[0].startswith("round 1/4: 4 models, MAPE ")
    assert details[-2].startswith("round 4/4: 12 models, MAPE ")


def interrupt_after(backend: Any, opened: int) -> None:
    def interrupt() -> None:
        if len(backend.opened) > opened:
            raise KeyboardInterrupt

    backend.on_run = interrupt


def test_interrupted_after_two_rounds_it_says_what_it_knows(
    validate: Callable[..., ValidationResult], table: LatencyTable, moody: Any
) -> None:
    interrupt_after(moody, 2 * 12 + 5)
    result = validate(table, moody, samples=12)
    assert (result.rounds, result.stopped) == (2, "interrupted")
    assert len(result.models) == 12
    assert result.errors.mape > 0
    assert all(executable.closed for executable in moody.opened)


def test_interrupted_before_it_knows_nothing(
    validate: Callable[..., ValidationResult], table: LatencyTable, moody: Any
) -> None:
    interrupt_after(moody, 12 + 5)
    with pytest.raises(KeyboardInterrupt):
        validate(table, moody, samples=12)
    assert all(executable.closed for executable in moody.opened)


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
    assert sorted(built) == sorted(spec.params for spec in free[:6])


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
    with refused("model unseen-", "cannot be run here", "no kernel"):
        validate(table, backend)
