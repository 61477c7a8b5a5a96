"""How far a table can be trusted: whole models it never saw, measured twice, beside its rivals."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

import numpy as np

from ...errors import UserError
from ...models import Spec
from ...notes import warn
from ...progress import OnProgress, no_progress
from ...tables import LatencyTable
from ...tables.comparison import rivals
from ..compiled_ahead import compiled_ahead
from ..plan import Point
from ..sampling.clock import Clock, SystemClock
from ..sampling.progress_in_seconds import ProgressInSeconds
from ..sampling.protocol import Protocol, protocol_of_rounds
from ..sampling.rounds import Rounds
from ..sampling.session_costs import SessionCosts
from ..target import Target
from ..workshop import Workshop
from .drawing import Draw
from .fitted_rivals import fitted_rivals
from .result import ValidationResult
from .twice import Answer, Twice, point_of

# A rank correlation, a line or a forest of fewer models says nothing.
FEWEST_MODELS = 3
ROUNDS, FEWEST_ROUNDS = 5, 2


def validate_table(
    table: LatencyTable,
    sample: Draw | Sequence[Spec],
    target: Target,
    *,
    samples: int = 50,
    training_samples: int = 0,
    seed: int = 0,
    rounds: int = ROUNDS,
    time_s: float | None = None,
    protocol: Protocol | None = None,
    clock: Clock | None = None,
    jobs: int = 1,
    on_progress: OnProgress = no_progress,
) -> ValidationResult:
    """Measure `samples` random models in rounds and compare; `sample(rng, name)` makes one.

    With a sequence of models in the place of `sample` it is these, and there are no `samples`.

    Rounds take turns between two measurements, so that two of them are a complete answer, which
    further ones narrow: up to `rounds`, until `time_s` is over, or until one more is not expected
    to matter (`Answer.is_settled`). Where two rounds of all models take longer than `time_s`, it is
    fewer models, spread over the range of MACs. Ctrl-C after two rounds returns what is known. More
    than one of `jobs` compile all models at once before the first round, which `time_s` does not
    count.

    The linear rivals are fitted on the table's own whole models. The learned ones (MLP, forest,
    and AutoViT's operator model) get `training_samples` further random models, measured in the
    same rounds; 0 leaves them out.
    """
    if training_samples:
        rivals.check_learned_available()
    rng = random.Random(f"validate {seed}")  # noqa: S311 - reproducible models, not secrets
    taken = {row.subject for row in table.model_rows}
    training: list[Spec] = []
    if isinstance(sample, Sequence):
        unseen = _unseen(table, sample)
    else:
        unseen = _distinct(sample, rng, samples, taken, "unseen")
        training = _distinct(sample, rng, training_samples, {*taken, *unseen}, "training")
    predictions = {spec: table.predict(spec) for spec in unseen}  # refused before measuring
    how = protocol or protocol_of_rounds(rounds, seed)
    twice = Twice.of(table, target, how, clock or SystemClock())
    every = sorted([*unseen, *training], key=lambda spec: spec.macs)
    run_ms = {spec: predictions[spec].ms for spec in unseen}
    run_ms |= {spec: table.predict(spec, extrapolate=True).ms for spec in training}
    costs = SessionCosts({point_of(spec): run_ms[spec] for spec in every}, how.sampling)

    most = max(rounds, FEWEST_ROUNDS)

    def among(specs: Sequence[Spec], points: Sequence[Point]) -> list[Spec]:
        reached = {point.subject for point in points}
        return [spec for spec in specs if spec in reached]

    def are_enough(points: Sequence[Point]) -> bool:
        wanted = (unseen, training) if training else (unseen,)
        return all(len(among(specs, points)) >= FEWEST_MODELS for specs in wanted)

    def answer() -> Answer:
        reached = [spec for spec in unseen if twice.has_measured(spec)]
        return twice.answer(reached, [predictions[spec].ms for spec in reached])

    def on_group(share: float) -> None:
        for spec in every:
            if row := twice.failed_row(spec):
                raise UserError(f"{row.name} cannot be run here: {row.error}.")
        shown.tell(share, f"round {in_rounds.complete + 1}/{most}: {answer().in_words()}")

    in_rounds = Rounds(
        [twice.first, twice.again],
        [point_of(spec) for spec in every],
        costs,
        most,
        FEWEST_ROUNDS,
        time_s,
        enough=are_enough,
        lacking=lambda points: [] if answer().is_settled else points,
        on_group=on_group,
    )
    shown = ProgressInSeconds(on_progress, "validating", in_rounds.estimated_s)
    with (
        compiled_ahead(every, target, jobs, on_progress=on_progress) as place,
        Workshop(place) as workshop,
    ):
        stopped = in_rounds.run(workshop)
    reached = among(unseen, in_rounds.points)
    if len(reached) < len(unseen):
        warn(
            f"`time` was enough for two rounds of {len(reached)} of {len(unseen)} models, spread "
            "over the range of MACs; give more time, or ask for fewer `samples`."
        )
    trained = among(training, in_rounds.points)
    found = twice.answer(reached, [predictions[spec].ms for spec in reached])
    shown.finish(found.in_words())
    low = np.array([predictions[spec].low_ms for spec in reached])
    high = np.array([predictions[spec].high_ms for spec in reached])
    of_training = [point_of(spec) for spec in trained]
    shared = costs.whole_s(of_training, in_rounds.complete)
    shared /= costs.whole_s(in_rounds.points, in_rounds.complete)
    return ValidationResult(
        [spec.name for spec in reached],
        found.predicted.tolist(),
        low.tolist(),
        high.tolist(),
        found.measured.tolist(),
        found.again.tolist(),
        found.errors,
        found.noise_floor,
        found.raw_errors,
        found.raw_noise_floor,
        float(np.mean((found.measured >= low) & (found.measured <= high))),
        fitted_rivals(
            table,
            reached,
            found.measured,
            trained,
            twice.measured_ms(trained),
            in_rounds.seconds * shared,
        ),
        table.setting,
        found.first.tolist(),
        found.interval,
        in_rounds.complete,
        in_rounds.seconds,
        stopped,
        len(unseen),
        transferred_share=float(np.mean([predictions[s].transferred_share for s in reached])),
    )


def _unseen(table: LatencyTable, models: Sequence[Spec]) -> list[Spec]:
    """Return the models, each once; raises UserError for one that the table was fitted on."""
    taken = {row.subject for row in table.model_rows}
    for spec in models:
        if spec in taken:
            raise UserError(
                f"{table.source} was fitted on {spec.name}, so that it proves nothing; give models "
                "that it never saw."
            )
    found = list(dict.fromkeys(models))
    if len(found) < FEWEST_MODELS:
        raise UserError(f"{len(found)} different `models` say nothing; give {FEWEST_MODELS}.")
    return found


def _distinct(
    sample: Draw,
    rng: random.Random,
    count: int,
    taken: Collection[object],
    name: str,
) -> list[Spec]:
    """Return `count` models that are neither taken nor equal to each other, by what they are."""
    seen = {tuple(spec.blocks()) for spec in taken if isinstance(spec, Spec)}
    found: list[Spec] = []
    for _ in range(100 * count):
        if len(found) == count:
            break
        spec = sample(rng, f"{name}-{len(found)}")
        if tuple(spec.blocks()) not in seen:
            seen.add(tuple(spec.blocks()))
            found.append(spec)
    if len(found) < count:
        raise UserError(
            f"the table's range holds fewer than {count} different models; ask for fewer samples."
        )
    return found
