"""Which of many models no other one beats in everything: fronts and how crowded they are."""

from __future__ import annotations

import numpy as np


def front_numbers(points: np.ndarray) -> np.ndarray:
    """Return the number of the front of each of n points (n x goals, less is better); 0 is first.

    A point dominates another that it equals or beats in every goal and beats in one; front k holds
    what is not dominated once the fronts before are away (Deb et al. 2002, section III A).
    """
    numbers = np.full(len(points), -1)
    left = np.arange(len(points))
    number = 0
    while len(left):
        rest = points[left]
        no_worse = (rest[:, None, :] <= rest[None, :, :]).all(axis=2)
        better = (rest[:, None, :] < rest[None, :, :]).any(axis=2)
        free = ~(no_worse & better).any(axis=0)
        numbers[left[free]] = number
        left = left[~free]
        number += 1
    return numbers


def front(points: np.ndarray) -> np.ndarray:
    """Return the positions of the points that none dominates, by the first goal; of equals one.

    Two goals, less is better; n·log n, for any number of points.
    """
    order = np.lexsort((points[:, 1], points[:, 0]))
    found = []
    least = np.inf
    for position in order:
        if points[position, 1] < least:
            found.append(position)
            least = points[position, 1]
    return np.array(found, dtype=np.int64)


def crowding(points: np.ndarray, fronts: np.ndarray) -> np.ndarray:
    """Return how far each point's neighbours on its front are from each other.

    Summed over the goals, each divided by its range (Deb et al. 2002, section III B); ends are
    infinite.
    """
    distances = np.zeros(len(points))
    for number in np.unique(fronts):
        members = np.flatnonzero(fronts == number)
        for goal in points[members].T:
            order = np.argsort(goal, kind="stable")
            span = goal[order[-1]] - goal[order[0]]
            distances[members[order[[0, -1]]]] = np.inf
            if span > 0 and len(order) > 2:
                gaps = (goal[order[2:]] - goal[order[:-2]]) / span
                distances[members[order[1:-1]]] += gaps
    return distances
