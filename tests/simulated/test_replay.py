"""A replayed log says exactly what the sampler said when it was taken."""

from __future__ import annotations

import pytest
from vitprof.profiler.sampling.timed_run import Sample

from simulated.experiment import sampled_group
from simulated.weather import WEATHERS


def in_order(samples: list[Sample]) -> list[Sample]:
    return sorted(samples, key=lambda sample: sample.middle_ns)


@pytest.mark.parametrize("weather", WEATHERS)
def test_a_replay_is_what_was_sampled(weather: str) -> None:
    for seed in range(3):
        group = sampled_group(WEATHERS[weather], seed)
        said = group.replayed()
        assert said.readings == group.readings
        for subject, samples in group.sampled.items():
            assert said.samples[subject] == in_order(samples)
            session = said.session(subject)
            assert in_order(session.all) == in_order(samples)


def test_the_reading_before_is_one_of_two_that_a_sample_lies_between() -> None:
    said = sampled_group(WEATHERS["restless"], seed=1).replayed()
    for subject, samples in said.samples.items():
        for sample, before in zip(samples, said.before_ms[subject], strict=True):
            low, high = sorted([before, 2.0 * sample.reference_ms - before])
            assert low <= sample.reference_ms <= high
            assert before in said.readings
