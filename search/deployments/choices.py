"""Names that a choice of deployments takes; free of numpy, see `search.choices`."""

from __future__ import annotations

# Number formats that a model can be deployed in.
DTYPES = ("fp32", "int8", "int8-static")
# Name -> the search algorithm that does it; "guided" is of deployments alone.
ALGORITHMS = {
    "guided": "guided",
    "random": "random",
    "exhaustive": "exhaustive",
    "evolution": "coarse-to-fine",
}
# Which accuracy counts.
ACCURACIES = ("top1", "top3")
