"""How a simulated machine's speed wanders, and what else disturbs its runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Weather:
    """What a machine's neighbours, clock and temperature do to it.

    `slowdowns` are the states of a Markov chain, as factors on the time of a run: each lasts
    between the bounds `dwell_s`, log-uniformly, and then another one follows, drawn by `weights`.
    `spells_per_s` short spells, of 50 to 300 ms, come besides: runs take `spell` times as long in
    them. `drift` is the amplitude of a sine of `drift_s` seconds in ln(time), and `ramp` what a
    thermal ramp adds to ln(time) once the machine is warm, after some `ramp_s`. The kernel takes
    the CPU away `preemptions_per_s` times a second, for 1 to 8 ms.

    `luck_sd` is the relative standard deviation between sessions of one executable, `noise_sd` that
    between runs of a session; `tail` of all runs are slower, by 4 % in the mean.
    """

    slowdowns: tuple[float, ...] = (1.0,)
    weights: tuple[float, ...] = (1.0,)
    dwell_s: tuple[float, float] = (1.0, 30.0)
    spells_per_s: float = 0.0
    spell: float = 1.4
    drift: float = 0.0
    drift_s: float = 120.0
    ramp: float = 0.0
    ramp_s: float = 30.0
    preemptions_per_s: float = 0.2
    luck_sd: float = 0.015
    noise_sd: float = 0.01
    tail: float = 0.03


QUIET = Weather()
# As a shared two-core machine was: 1 to 1.8 times as slow, states of 1 to 20 s (docs/fidelity.md).
RESTLESS = Weather(
    slowdowns=(1.0, 1.25, 1.5, 1.8),
    weights=(0.4, 0.2, 0.25, 0.15),
    dwell_s=(1.0, 10.0),
    spells_per_s=0.3,
)
SPELLS = Weather(spells_per_s=1.5)
PREEMPTED = Weather(preemptions_per_s=15.0)
DRIFTING = Weather(drift=0.05)
WARMING = Weather(ramp=0.12)
NEVER_CALM = Weather(
    slowdowns=(1.3, 1.5, 1.8), weights=(0.3, 0.4, 0.3), dwell_s=(1.0, 10.0), spells_per_s=0.3
)

WEATHERS = {
    "quiet": QUIET,
    "restless": RESTLESS,
    "spells": SPELLS,
    "preempted": PREEMPTED,
    "drifting": DRIFTING,
    "warming": WARMING,
}
