"""Every algorithm on spaces small enough to know the answer: it is the exhaustive one's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from vitprof.models import Spec
from vitprof.search.algorithms.coarse_stage import coarse_stage
from vitprof.search.algorithms.registry import ALGORITHMS, run_search
from vitprof.search.costs import CostModel
from vitprof.search.evaluation_log import EvaluationLog, key_of
from vitprof.search.goal import SearchGoal
from vitprof.search.limit import Limit
from vitprof.search.limits import Limits
from vitprof.search.plan import SearchPlan
from vitprof.search.problem import Evaluation, SearchProblem
from vitprof.spaces.registry import find_search_space, search_space_from_dict

PLAN = SearchPlan(2000, "macs", population=20, generations=12, parents=6)


class Worth:
    """Judges a candidate by a fixed function of its genes, and counts how often it is asked."""

    measures = "worth"
    is_accuracy = False

    def __init__(self, space, reverse: bool = False, fail_after: int | None = None) -> None:
        rng = np.random.default_rng(7)
        self.of_gene = [rng.random(int(size)) for size in space.sizes]
        self.asked: list[tuple[int, ...]] = []
        self.reverse = reverse
        self.fail_after = fail_after

    def __call__(self, candidate: np.ndarray) -> float:
        return float(sum(w[c] for w, c in zip(self.of_gene, candidate, strict=True)) / 100)

    def evaluate(self, population: np.ndarray) -> Iterator[tuple[int, Evaluation]]:
        positions = range(len(population))
        for i in reversed(positions) if self.reverse else positions:
            if self.fail_after is not None and len(self.asked) >= self.fail_after:
                raise KeyboardInterrupt
            self.asked.append(key_of(population[i]))
            yield i, Evaluation(self(population[i]))


@pytest.fixture(scope="module")
def space():
    return search_space_from_dict(
        {
            "family": "vit",
            "embed": [16, 24, 32],
            "depth": [1, 2, 3],
            "heads": [1, 2],
            "qk": 8,
            "mlp": [16, 32],
            "resolution": 8,
            "patch": 4,
            "classes": 10,
        },
        "a test",
    )


@pytest.fixture(scope="module")
def costs(space) -> CostModel:
    return CostModel(space)


def problem_of(costs, *limits: Limit, log=None, **worth) -> SearchProblem:
    judge = Worth(costs.space, **worth)
    return SearchProblem(costs.space, costs, Limits(limits), SearchGoal(), judge, log)


def middle(costs, unit: str) -> Limit:
    """Return a limit that about half of the space keeps."""
    every = np.concatenate(list(costs.space.enumerate()))
    return Limit(unit, float(np.median(getattr(costs.of(every), unit))))


@pytest.mark.parametrize("algorithm", ["coarse-to-fine", "random", "nsga2"])
def test_a_small_space_gives_up_its_best(costs, algorithm) -> None:
    limit = middle(costs, "macs")
    every, found = problem_of(costs, limit), problem_of(costs, limit)
    run_search(every, "exhaustive", PLAN, seed=0)
    run_search(found, algorithm, PLAN, seed=0)
    assert found.evaluator(found.best()) == found.found[key_of(found.best())].figure
    best, optimum = found.evaluator(found.best()), every.evaluator(every.best())
    assert best == pytest.approx(optimum, abs=1e-12)


def test_exhaustive_is_every_model_within_the_limits(costs) -> None:
    limit = middle(costs, "params")
    problem = problem_of(costs, limit)
    run_search(problem, "exhaustive", PLAN, seed=0)
    every = np.concatenate(list(costs.space.enumerate()))
    kept = every[costs.of(every).params <= limit.most]
    assert set(problem.found) == {key_of(row) for row in kept}
    assert len(every) == costs.space.count() == 3 * (4 + 16 + 64)


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_no_model_is_judged_twice_nor_beyond_a_limit(costs, algorithm) -> None:
    limits = middle(costs, "macs"), middle(costs, "params")
    problem = problem_of(costs, *limits)
    run_search(problem, algorithm, PLAN, seed=1)
    asked = problem.evaluator.asked
    assert asked
    assert len(asked) == len(set(asked))
    of = costs.of(np.array(asked, dtype=np.int16))
    assert (of.macs <= limits[0].most).all()
    assert (of.params <= limits[1].most).all()


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_a_seed_decides_everything_and_the_order_of_answers_nothing(costs, algorithm) -> None:
    limit = middle(costs, "macs")

    def run(seed: int, reverse: bool = False) -> SearchProblem:
        problem = problem_of(costs, limit, reverse=reverse)
        run_search(problem, algorithm, PLAN, seed)
        return problem

    first, again, parallel, other = run(3), run(3), run(3, reverse=True), run(4)
    assert list(first.found.items()) == list(again.found.items()) == list(parallel.found.items())
    if algorithm != "exhaustive":
        assert list(first.found) != list(other.found)


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_a_search_that_was_stopped_goes_on_to_the_same_end(costs, algorithm, tmp_path) -> None:
    limit = middle(costs, "macs")
    whole = problem_of(costs, limit)
    run_search(whole, algorithm, PLAN, seed=5)
    asked = {"seed": 5}
    stopped = problem_of(
        costs, limit, log=EvaluationLog(tmp_path / "log", asked), fail_after=len(whole.found) // 2
    )
    with pytest.raises(KeyboardInterrupt):
        run_search(stopped, algorithm, PLAN, seed=5)
    resumed = problem_of(costs, limit, log=EvaluationLog(tmp_path / "log", asked))
    run_search(resumed, algorithm, PLAN, seed=5)
    assert list(resumed.found.items()) == list(whole.found.items())
    once = [*stopped.evaluator.asked, *resumed.evaluator.asked]
    assert len(once) == len(set(once)) == len(whole.found)


def test_the_coarse_stage_keeps_limits_and_ranks() -> None:
    space = find_search_space("autovit-xxs")
    costs = CostModel(space)
    limits = Limits((Limit("params", 1.8e6), Limit("macs", 4e8)))
    rng = np.random.default_rng(0)
    found = coarse_stage(space, costs, limits, rng, draws=40_000, top=30, rank="macs")
    assert found.drawn == 40_000
    assert len(found.candidates) == 30 == len({key_of(row) for row in found.candidates})
    of = costs.of(found.candidates)
    assert (of.params <= 1.8e6).all()
    assert (of.macs <= 4e8).all()
    assert (np.diff(of.macs) <= 0).all()
    # The same draws, one by one.
    drawn = np.concatenate([space.sample(np.random.default_rng(0), 16_384)])
    mine = sorted(
        s.macs for s in map(space.spec, drawn[:500]) if s.params <= 1.8e6 and s.macs <= 4e8
    )
    assert mine[-1] <= of.macs[0]
    assert 0 < found.kept < found.drawn


def test_the_rank_by_limits_is_how_much_of_the_tightest_is_used() -> None:
    space = find_search_space("autovit-xxs")
    costs = CostModel(space)
    limits = Limits((Limit("params", 1.8e6), Limit("macs", 3e8)))
    found = coarse_stage(space, costs, limits, np.random.default_rng(4), draws=20_000, top=20)
    of = costs.of(found.candidates)
    used = np.maximum(of.params / 1.8e6, of.macs / 3e8)
    assert (np.diff(used) <= 0).all()
    assert used[0] <= 1
    drawn = coarse_stage(
        space, costs, limits, np.random.default_rng(4), draws=20_000, top=20_000, rank="none"
    )
    every = costs.of(drawn.candidates)
    best = np.sort(np.maximum(every.params / 1.8e6, every.macs / 3e8))[::-1][:20]
    np.testing.assert_allclose(used, best)


def test_a_rank_that_says_nothing_keeps_the_order_drawn() -> None:
    space = find_search_space("autovit-xxs")
    costs, limits = CostModel(space), Limits((Limit("params", 2.2e6),))
    found = coarse_stage(
        space, costs, limits, np.random.default_rng(2), draws=5000, top=10, rank="none"
    )
    drawn = space.sample(np.random.default_rng(2), 5000)
    kept = drawn[limits.kept(costs, drawn)]
    assert [key_of(r) for r in found.candidates] == list(dict.fromkeys(map(key_of, kept)))[:10]


def test_few_models_keep_the_limits(costs) -> None:
    """Even where no random draw finds one, the search begins with one that is known."""
    smallest: Spec = costs.space.spec(costs.space.smallest())
    problem = problem_of(costs, Limit("macs", float(smallest.macs)))
    run_search(problem, "coarse-to-fine", SearchPlan(1, "macs", 5, 3, 2), seed=0)
    assert list(problem.found) == [key_of(costs.space.smallest())]


def test_what_cannot_be_is_refused_before_anything_is_judged(costs, refused) -> None:
    problem = problem_of(costs, Limit("params", 10.0))
    with refused("no model", "nearest", "over 10 parameters"):
        run_search(problem, "random", PLAN, seed=0)
    assert not problem.evaluator.asked


def test_too_large_for_exhaustive(refused) -> None:
    costs = CostModel(find_search_space("autovit-xxs"))
    with refused("1,040,449,536 models", "`algorithm`"):
        run_search(problem_of(costs), "exhaustive", PLAN, seed=0)


def test_an_unknown_rank_is_no_default(costs, refused) -> None:
    with refused("unknown `rank` 'limits'", "limit"):
        coarse_stage(costs.space, costs, Limits(), np.random.default_rng(0), rank="limits")


def test_more_parents_than_models(refused) -> None:
    with refused("11 parents", "population of 10"):
        SearchPlan(population=10, generations=5, parents=11)


def test_nsga2_without_pymoo_says_what_to_install(costs, monkeypatch, refused) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pymoo.algorithms.moo.nsga2", None)
    with refused("pip install 'vitprof[search]'"):
        run_search(problem_of(costs), "nsga2", PLAN, seed=0)


def test_nsga2_spreads_over_the_front(costs) -> None:
    """Of accuracy against parameters, it finds most of the front that there is."""

    def front_of(algorithm: str) -> set[tuple[int, ...]]:
        problem = SearchProblem(
            costs.space, costs, Limits(), SearchGoal("accuracy-size"), Worth(costs.space)
        )
        run_search(problem, algorithm, SearchPlan(2000, "none", 30, 15, 6), seed=0)
        return {key_of(row) for row in problem.front()}

    true, found = front_of("exhaustive"), front_of("nsga2")
    assert len(true & found) >= 0.8 * len(true)


def test_an_unknown_algorithm_names_the_nearest(costs, refused) -> None:
    with refused("unknown `algorithm` 'randm'", "did you mean 'random'"):
        run_search(problem_of(costs), "randm", PLAN, seed=0)
