"""Rows, the CSV file, interpolation and what a table says about whole models."""

from __future__ import annotations

from .prediction import BlockPrediction, Prediction
from .row import Row
from .setting import Setting
from .table import LatencyTable

__all__ = ["BlockPrediction", "LatencyTable", "Prediction", "Row", "Setting"]
