"""Rows of widths that never shrink along the stages: drawn uniformly, and counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class NeverShrinking:
    """All non-decreasing rows that take one of `levels[p]` at each place p.

    Kong et al. 2025 (AutoViT), section 3.4: candidates whose widths shrink along the stages are
    discarded. Here they are never drawn: `ways[p][i]` counts the rows that go on from choice i of
    place p, and each choice is drawn in proportion to it, which makes every whole row as likely.
    weights: how many models each choice stands for, where that is more than one.
    """

    def __init__(
        self,
        levels: Sequence[Sequence[float]],
        weights: Sequence[Sequence[int]] | None = None,
    ) -> None:
        self.levels = [np.asarray(row, dtype=float) for row in levels]
        counts = weights or [[1] * len(row) for row in levels]
        # Python's integers: AutoFormer's spaces have more models than 64 bits count.
        own = [np.array(list(row), dtype=object) for row in counts]
        ways = [own[-1]] if levels else []
        for place in range(len(levels) - 2, -1, -1):
            follows = self.levels[place + 1][None, :] >= self.levels[place][:, None]
            after = np.array([sum(ways[-1][row]) for row in follows], dtype=object)
            ways.append(own[place] * after)
        self.ways = ways[::-1]

    @property
    def count(self) -> int:
        """How many such rows there are."""
        return int(sum(self.ways[0])) if self.levels else 1

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return `count` rows of indices of levels, (count, places), each row equally likely."""
        rows = np.zeros((count, len(self.levels)), dtype=np.int16)
        for place, levels in enumerate(self.levels):
            ways = self.ways[place].astype(float)
            if place == 0:
                allowed = np.ones((1, len(levels)), dtype=bool)
                before = np.zeros(count, dtype=np.int64)
            else:
                allowed = levels[None, :] >= self.levels[place - 1][:, None]
                before = rows[:, place - 1].astype(np.int64)
            odds = np.cumsum(allowed * ways, axis=1)
            odds /= np.maximum(odds[:, -1:], 1e-300)
            drawn = rng.random(count)
            for choice in range(len(levels) - 1):
                rows[:, place] += drawn >= odds[before, choice]
        return rows

    def allows(self, rows: np.ndarray, used: np.ndarray) -> np.ndarray:
        """Tell of each row of indices whether it never shrinks, unused places left out."""
        highest = np.zeros(len(rows))
        fine = np.ones(len(rows), dtype=bool)
        for place, levels in enumerate(self.levels):
            value = levels[rows[:, place]]
            fine &= ~used[:, place] | (value >= highest)
            highest = np.where(used[:, place], np.maximum(highest, value), highest)
        return fine
