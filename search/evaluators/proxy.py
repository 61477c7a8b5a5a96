"""Searching without any accuracy: by a stated proxy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...errors import UserError
from ..costs import CostModel

PROXIES = {"macs": "MACs", "params": "parameters"}


class ProxyEvaluator:
    """Judges candidates by their MACs or parameters, in millions; no accuracy is measured."""

    def __init__(self, costs: CostModel, proxy: str) -> None:
        if proxy not in PROXIES:
            raise UserError(f"unknown proxy '{proxy}'; take one of {', '.join(PROXIES)}.")
        self.costs = costs
        self.proxy = proxy
        self.measures = f"millions of {PROXIES[proxy]}, a proxy: no accuracy was measured"

    def evaluate(self, population: np.ndarray) -> Iterator[tuple[int, float]]:
        """Yield the position and the figure of each candidate."""
        figures = getattr(self.costs.of(population), self.proxy) / 1e6
        yield from enumerate(figures.tolist())
